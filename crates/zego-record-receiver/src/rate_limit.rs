//! How often something that a peer can cause is allowed to happen.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Allows a number of events a second, and counts the others.
#[derive(Debug)]
pub struct RateLimit {
    per_second: u32,
    budget: Mutex<Budget>,
}

#[derive(Debug, Default)]
struct Budget {
    second: u64,
    used: u32,
    suppressed: u64,
}

impl RateLimit {
    /// At most this many events in each second.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            budget: Mutex::default(),
        }
    }

    /// How many events were suppressed since the last one that was allowed, if this one is allowed. `now` is
    /// the time since any moment.
    pub fn allow(&self, now: Duration) -> Option<u64> {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if budget.second != now.as_secs() {
            budget.second = now.as_secs();
            budget.used = 0;
        }
        if budget.used >= self.per_second {
            budget.suppressed += 1;
            return None;
        }
        budget.used += 1;
        Some(std::mem::take(&mut budget.suppressed))
    }
}
