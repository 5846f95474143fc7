//! Everything that a worker counts, logs or measures goes through here.

mod counters;
mod log;
mod metrics;

use std::time::{Duration, Instant};

use zego_record_core::{DeliveryKey, RestoreError};
use zego_record_receiver::StoreError;
use zego_record_receiver::support::RateLimit;

use crate::entry::Stats;
use crate::store::{Claimed, Next, RunEnded};

pub(crate) use counters::Count;
use counters::Tally;
pub use counters::WorkerCounters;
pub(crate) use log::AttemptSpan;

/// Lines a second, of each kind.
const LINES: u32 = 100;

#[derive(Debug)]
pub(crate) struct Telemetry {
    tally: Tally,
    start: Instant,
    successes: RateLimit,
    failures: RateLimit,
    dead: RateLimit,
    store: RateLimit,
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        metrics::describe();
        Self {
            tally: Tally::default(),
            start: Instant::now(),
            successes: RateLimit::new(LINES),
            failures: RateLimit::new(LINES),
            dead: RateLimit::new(LINES),
            store: RateLimit::new(LINES / 10),
        }
    }

    pub(crate) fn read(&self) -> WorkerCounters {
        self.tally.read()
    }

    /// A handler has started (1) or ended (-1).
    pub(crate) fn running(&self, change: i64) {
        metrics::running(self.tally.running(change));
    }

    pub(crate) fn ended(&self, claimed: &Claimed, ended: &RunEnded, elapsed: Option<Duration>) {
        let (count, limit) = match ended.next {
            Next::Done => (Count::Done, &self.successes),
            Next::Discarded => (Count::Discarded, &self.successes),
            Next::Retry(_) => (Count::Failed, &self.failures),
            Next::Release(_) => (Count::Released, &self.failures),
            Next::Dead => (Count::Dead, &self.dead),
        };
        self.count(count, 1);
        if let Some(elapsed) = elapsed {
            metrics::handler_ended(count, elapsed);
        }
        self.line(limit, |suppressed| log::ended(claimed, ended, suppressed));
    }

    /// Somebody else may have taken over, so that this run was stopped or its end came too late.
    pub(crate) fn lease_lost(&self) {
        self.count(Count::LeaseLost, 1);
        self.line(&self.failures, log::lease_lost);
    }

    /// The end of a run could not be recorded: the handler is run again when the lease has ended.
    pub(crate) fn not_settled(&self, is_done: bool) {
        self.count(Count::NotSettled, 1);
        self.line(&self.failures, |suppressed| {
            log::not_settled(is_done, suppressed);
        });
    }

    pub(crate) fn corrupt(&self, key: &DeliveryKey, error: RestoreError) {
        self.count(Count::Corrupt, 1);
        self.line(&self.dead, |suppressed| {
            log::corrupt(key, error, suppressed);
        });
    }

    pub(crate) fn store_failed(&self, request: &'static str, error: &StoreError) {
        self.count(Count::StoreFailure, 1);
        self.line(&self.store, |suppressed| {
            log::store_failed(request, error, suppressed);
        });
    }

    pub(crate) fn pruned(&self, callbacks: u64) {
        self.count(Count::Pruned, callbacks);
    }

    pub(crate) fn stats(&self, stats: &Stats) {
        metrics::stats(stats);
    }

    fn count(&self, count: Count, events: u64) {
        self.tally.count(count, events);
        metrics::count(count, events);
    }

    fn line(&self, limit: &RateLimit, write: impl FnOnce(u64)) {
        if let Some(suppressed) = limit.allow(self.start.elapsed()) {
            write(suppressed);
        }
    }
}
