//! Suspects our own clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use zego_record_core::Signature;

/// This many signed requests in a row, rejected for about the same offset, are no coincidence.
const SUSPICIOUS: usize = 3;
const SAME_WITHIN: u64 = 5;

/// Follows by how much the timestamps of signed requests are off.
///
/// A receiver whose clock is wrong rejects every callback, and nobody would know why. Only distinct
/// signatures count, so that one captured request, sent again and again, proves nothing.
#[derive(Debug, Default)]
pub(crate) struct SkewWatch {
    streak: Mutex<Streak>,
    /// Whether there is a streak, so that a request that is fresh takes no lock.
    begun: AtomicBool,
}

#[derive(Debug, Default)]
struct Streak {
    offset: i64,
    signatures: Vec<Signature>,
}

impl SkewWatch {
    /// A signed request was rejected for this offset; returns it when it becomes suspicious.
    pub(crate) fn rejected(&self, signature: Signature, offset: i64) -> Option<i64> {
        let mut streak = self.streak.lock().unwrap_or_else(PoisonError::into_inner);
        if streak.signatures.contains(&signature) {
            return None;
        }
        if streak.signatures.is_empty() || offset.abs_diff(streak.offset) > SAME_WITHIN {
            streak.offset = offset;
            streak.signatures.clear();
        }
        if streak.signatures.len() >= SUSPICIOUS {
            return None;
        }
        streak.signatures.push(signature);
        self.begun.store(true, Ordering::Relaxed);
        (streak.signatures.len() == SUSPICIOUS).then_some(streak.offset)
    }

    /// A request was fresh; whether that ends a suspicion.
    pub(crate) fn accepted(&self) -> bool {
        if !self.begun.load(Ordering::Relaxed) {
            return false;
        }
        let mut streak = self.streak.lock().unwrap_or_else(PoisonError::into_inner);
        let was_suspected = streak.signatures.len() >= SUSPICIOUS;
        streak.signatures.clear();
        self.begun.store(false, Ordering::Relaxed);
        was_suspected
    }
}
