//! Counting and logging, so that no other place needs to know whether somebody listens.
//!
//! Nothing here writes a body, a signature or a secret.

pub(crate) mod gauge;
pub(crate) mod log;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zego_record_core::{OtherEvent, Rejection, Verdict};

use crate::counters::Tally;
use crate::store::StoreError;

/// So many rejections are logged in a second; the rest only counted. Anybody can cause rejections.
const REFUSALS_A_SECOND: u32 = 10;

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) tally: Tally,
    budget: Mutex<Budget>,
}

#[derive(Debug, Default)]
struct Budget {
    second: u64,
    used: u32,
    suppressed: u64,
}

impl Report {
    pub(crate) fn rejected(&self, rejection: &Rejection, now: Duration) {
        self.answered(rejection.verdict());
        if let Some(suppressed) = self.may_log(now) {
            log::rejected(rejection, suppressed);
        }
    }

    pub(crate) fn answered(&self, verdict: Verdict) {
        self.tally.answered(verdict);
        gauge::answered(verdict);
    }

    pub(crate) fn ignored(&self, event: &OtherEvent) {
        self.answered(Verdict::Ignored);
        log::ignored(event);
    }

    pub(crate) fn accepted(&self) {
        self.tally.accepted();
        gauge::count(gauge::Event::Accepted);
    }

    pub(crate) fn signature_reused(&self, rejected: bool) {
        self.tally.signature_reused();
        gauge::count(gauge::Event::SignatureReused);
        log::signature_reused(rejected);
    }

    pub(crate) fn clock_skew(&self, seconds: i64) {
        self.tally.clock_skew(seconds);
        log::clock_skew(seconds);
    }

    pub(crate) fn guard_fallback(&self, error: &StoreError) {
        self.tally.guard_fallback();
        gauge::count(gauge::Event::GuardFallback);
        log::store_failed("guard", error);
    }

    /// How many were not logged since the last time, if this one may be.
    fn may_log(&self, now: Duration) -> Option<u64> {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if budget.second != now.as_secs() {
            budget.second = now.as_secs();
            budget.used = 0;
        }
        if budget.used >= REFUSALS_A_SECOND {
            budget.suppressed += 1;
            return None;
        }
        budget.used += 1;
        Some(std::mem::take(&mut budget.suppressed))
    }
}
