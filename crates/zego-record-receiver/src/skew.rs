//! Notices that it is our clock that is wrong.

use std::sync::{Mutex, PoisonError};

/// So many signed requests in a row, rejected for about the same offset, are no coincidence.
const SUSPICIOUS: u32 = 3;
const SAME_WITHIN: i64 = 5;

/// Follows by how much the timestamps of signed requests are off.
///
/// A receiver whose clock is wrong rejects every callback, and nobody would know why.
#[derive(Debug, Default)]
pub(crate) struct SkewWatch(Mutex<Streak>);

#[derive(Debug, Default)]
struct Streak {
    offset: i64,
    length: u32,
}

impl SkewWatch {
    /// A signed request was rejected for this offset; gives it back once it has become suspicious.
    pub(crate) fn rejected(&self, offset: i64) -> Option<i64> {
        let mut streak = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if streak.length > 0
            && offset.saturating_sub(streak.offset).unsigned_abs() <= SAME_WITHIN.unsigned_abs()
        {
            streak.length = streak.length.saturating_add(1);
        } else {
            *streak = Streak { offset, length: 1 };
        }
        (streak.length == SUSPICIOUS).then_some(streak.offset)
    }

    /// A request was fresh.
    pub(crate) fn accepted(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).length = 0;
    }
}
