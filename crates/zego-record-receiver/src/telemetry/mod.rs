//! Everything that a receiver counts, logs or measures goes through here, so that no other place needs
//! to know whether anybody listens.
//!
//! Nothing here writes a body, a signature or a secret. Every line that a peer can cause is
//! rate-limited; what is suppressed is counted, and the next line has the number.

mod counters;
mod log;
mod metrics;

use std::sync::Arc;

use zego_record_core::{OtherEvent, Rejection, Verdict};

pub use counters::Counters;
pub(crate) use counters::{Count, Gauges};
pub(crate) use log::CallbackSpan;

use crate::clock::Clock;
use crate::hooks::{Abandoned, Delivered, claimed_appid};
use crate::rate_limit::RateLimit;
use crate::store::StoreError;
use counters::Tally;

/// Lines a second for what anyone can cause without a secret, and for what only a captured request can.
const LINES_ON_REJECTION: u32 = 10;
/// Lines a second for what callbacks cause.
const LINES_ON_DELIVERY: u32 = 100;

#[derive(Debug)]
pub(crate) struct Telemetry {
    tally: Tally,
    clock: Arc<dyn Clock>,
    rejections: RateLimit,
    /// Apart, so that a flood without a secret hides no rejection of what was signed.
    signed_rejections: RateLimit,
    ignored: RateLimit,
    conflicts: RateLimit,
    clock_skew: RateLimit,
    failures: RateLimit,
    /// Apart, so that a flood of duplicates does not hide a handler that fails.
    successes: RateLimit,
    duplicates: RateLimit,
    errors: RateLimit,
    abandoned: RateLimit,
}

impl Telemetry {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        metrics::describe();
        Self {
            tally: Tally::new(),
            clock,
            rejections: RateLimit::new(LINES_ON_REJECTION),
            signed_rejections: RateLimit::new(LINES_ON_REJECTION),
            ignored: RateLimit::new(LINES_ON_REJECTION),
            conflicts: RateLimit::new(LINES_ON_REJECTION),
            clock_skew: RateLimit::new(LINES_ON_REJECTION),
            failures: RateLimit::new(LINES_ON_REJECTION),
            successes: RateLimit::new(LINES_ON_DELIVERY),
            duplicates: RateLimit::new(LINES_ON_REJECTION),
            errors: RateLimit::new(LINES_ON_DELIVERY),
            abandoned: RateLimit::new(LINES_ON_DELIVERY),
        }
    }

    pub(crate) fn read(&self, gauges: &Gauges) -> Counters {
        self.tally.read(gauges)
    }

    pub(crate) fn count(&self, count: Count, events: u64) {
        self.tally.count(count, events);
    }

    pub(crate) fn rejected(&self, rejection: &Rejection, body: &[u8]) {
        self.tally.answered(rejection.verdict());
        let limit = if rejection.is_signed() {
            &self.signed_rejections
        } else {
            &self.rejections
        };
        self.line(limit, |suppressed| {
            log::rejected(rejection, claimed_appid(body).as_deref(), suppressed);
        });
    }

    /// An answer that nothing else is known of.
    pub(crate) fn answered(&self, verdict: Verdict) {
        self.tally.answered(verdict);
    }

    pub(crate) fn verified(&self) {
        self.count(Count::Verified, 1);
    }

    pub(crate) fn ignored(&self, event: &OtherEvent) {
        self.tally.answered(Verdict::Ignored);
        self.line(&self.ignored, |suppressed| {
            log::ignored(event.name(), suppressed);
        });
    }

    /// What is rejected for it is logged as a rejection.
    pub(crate) fn signature_reused(&self, observed_only: bool) {
        self.count(Count::SignatureReused, 1);
        if observed_only {
            self.line(&self.conflicts, log::signature_observed);
        }
    }

    pub(crate) fn clock_skew(&self, seconds: Option<i64>) {
        self.tally.clock_skew(seconds);
        self.line(&self.clock_skew, |suppressed| match seconds {
            Some(seconds) => log::clock_suspected(seconds, suppressed),
            None => log::clock_trusted(suppressed),
        });
    }

    pub(crate) fn store_failed(&self, error: &StoreError) {
        self.count(Count::StoreFailure, 1);
        self.line(&self.failures, |suppressed| {
            log::store_failed("delivery store", error, suppressed);
        });
    }

    pub(crate) fn guard_fell_back(&self, error: &StoreError) {
        self.count(Count::GuardFallback, 1);
        self.line(&self.failures, |suppressed| {
            log::store_failed("replay guard", error, suppressed);
        });
    }

    pub(crate) fn purge_failed(&self, part: &'static str, error: &StoreError) {
        self.line(&self.failures, |suppressed| {
            log::store_failed(part, error, suppressed);
        });
    }

    pub(crate) fn in_flight(&self, handlers: usize) {
        metrics::in_flight(handlers);
    }

    /// They happen inside of guard and store, so that they are looked at now and then.
    pub(crate) fn evictions(&self, gauges: &Gauges) {
        metrics::evictions(gauges.guard_evictions, gauges.store_evictions);
    }

    pub(crate) fn delivered(&self, delivered: &Delivered<'_>) {
        let verdict = delivered.verdict;
        self.tally.answered(verdict);
        if let Some(elapsed) = delivered.elapsed {
            metrics::handler_ended(verdict, elapsed);
        }
        let limit = match verdict {
            Verdict::Handled | Verdict::Discarded | Verdict::Accepted => &self.successes,
            Verdict::Duplicate | Verdict::InProgress => &self.duplicates,
            _ => &self.errors,
        };
        self.line(limit, |suppressed| {
            let error = delivered.error.map(|error| error.describe());
            log::delivered(verdict, error.as_deref(), suppressed);
        });
    }

    pub(crate) fn abandoned(&self, abandoned: &Abandoned) {
        self.count(Count::Abandoned, 1);
        self.line(&self.abandoned, |suppressed| {
            log::abandoned(abandoned.callback(), abandoned.verdict(), suppressed);
        });
    }

    pub(crate) fn completion_given_up(&self) {
        self.count(Count::CompletionGivenUp, 1);
        self.line(&self.abandoned, log::completion_given_up);
    }

    fn line(&self, limit: &RateLimit, write: impl FnOnce(u64)) {
        if let Some(suppressed) = limit.allow(self.clock.monotonic()) {
            write(suppressed);
        }
    }
}
