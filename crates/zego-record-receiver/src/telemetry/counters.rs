//! What a receiver counts.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use zego_record_core::Verdict;

use super::metrics;

/// What a receiver has counted since it was built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Record callbacks that have passed verification and the replay check.
    pub verified: u64,
    /// Signatures that came a second time with other content, whether rejected or only observed.
    pub signatures_reused: u64,
    /// Bindings that the replay guard has removed before they expired, for lack of room.
    pub guard_evictions: u64,
    /// Requests that were checked by the guard in memory, since the configured one could not be reached.
    pub guard_fallbacks: u64,
    /// Finished deliveries that the store has removed before they expired, for lack of room.
    pub store_evictions: u64,
    /// Requests to the delivery store that failed, after all tries.
    pub store_failures: u64,
    /// Handlers that were run without deduplication, since the store could not be reached.
    pub runs_without_deduplication: u64,
    /// Deliveries that are done and could not be recorded so: a retry may run the handler again.
    pub completions_given_up: u64,
    /// Deliveries and bindings that were removed since they had expired.
    pub purged: u64,
    /// Rejected bodies that were signed and not handed to the quarantine hook: seen before, or too many.
    pub quarantine_suppressed: u64,
    /// Failed callbacks whose retry is not watched for, since too many are.
    pub retries_unwatched: u64,
    /// Callbacks that have failed and did not come again, see
    /// [`on_abandoned`](crate::ReceiverBuilder::on_abandoned).
    pub abandoned: u64,
    /// Handlers that are running.
    pub in_flight: usize,
    /// By how many seconds the senders' clock seems to differ from ours, if several signed requests in
    /// a row were rejected for the same offset: negative if ours is ahead. `None` again as soon as a
    /// request is fresh.
    pub suspected_clock_skew: Option<i64>,
    verdicts: Vec<u64>,
}

impl Counters {
    /// How many requests were answered with this verdict.
    pub fn answered(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(index(verdict)).copied().unwrap_or(0)
    }
}

/// Something that is counted without a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Verified,
    SignatureReused,
    GuardFallback,
    StoreFailure,
    RunWithoutDeduplication,
    CompletionGivenUp,
    Purged,
    QuarantineSuppressed,
    RetryUnwatched,
    Abandoned,
}

impl Count {
    pub(crate) const ALL: [Self; 10] = [
        Self::Verified,
        Self::SignatureReused,
        Self::GuardFallback,
        Self::StoreFailure,
        Self::RunWithoutDeduplication,
        Self::CompletionGivenUp,
        Self::Purged,
        Self::QuarantineSuppressed,
        Self::RetryUnwatched,
        Self::Abandoned,
    ];
}

#[derive(Debug)]
pub(crate) struct Tally {
    counts: [AtomicU64; Count::ALL.len()],
    /// 0 for none: a request is never rejected for a difference of 0.
    clock_skew: AtomicI64,
    verdicts: Vec<AtomicU64>,
}

/// What others than the tally know.
pub(crate) struct Gauges {
    pub(crate) in_flight: usize,
    pub(crate) guard_evictions: u64,
    pub(crate) store_evictions: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            counts: Default::default(),
            clock_skew: AtomicI64::new(0),
            verdicts: Verdict::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn count(&self, count: Count, events: u64) {
        self.counts[count as usize].fetch_add(events, Ordering::Relaxed);
        metrics::count(count, events);
    }

    pub(crate) fn answered(&self, verdict: Verdict) {
        if let Some(counter) = self.verdicts.get(index(verdict)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        metrics::answered(verdict);
    }

    pub(crate) fn clock_skew(&self, seconds: Option<i64>) {
        self.clock_skew
            .store(seconds.unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn read(&self, gauges: &Gauges) -> Counters {
        let count = |count: Count| self.counts[count as usize].load(Ordering::Relaxed);
        let verdicts = self.verdicts.iter();
        Counters {
            verified: count(Count::Verified),
            signatures_reused: count(Count::SignatureReused),
            guard_evictions: gauges.guard_evictions,
            guard_fallbacks: count(Count::GuardFallback),
            store_evictions: gauges.store_evictions,
            store_failures: count(Count::StoreFailure),
            runs_without_deduplication: count(Count::RunWithoutDeduplication),
            completions_given_up: count(Count::CompletionGivenUp),
            purged: count(Count::Purged),
            quarantine_suppressed: count(Count::QuarantineSuppressed),
            retries_unwatched: count(Count::RetryUnwatched),
            abandoned: count(Count::Abandoned),
            in_flight: gauges.in_flight,
            suspected_clock_skew: Some(self.clock_skew.load(Ordering::Relaxed))
                .filter(|skew| *skew != 0),
            verdicts: verdicts
                .map(|verdict| verdict.load(Ordering::Relaxed))
                .collect(),
        }
    }
}

fn index(verdict: Verdict) -> usize {
    // ALL has every verdict; the fallback is never reached.
    Verdict::ALL
        .iter()
        .position(|other| *other == verdict)
        .unwrap_or(usize::MAX)
}
