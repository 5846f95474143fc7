//! What a receiver counts.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use zego_record_core::Verdict;

/// What a receiver has counted since it was built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Record callbacks that have passed verification and guard.
    pub accepted: u64,
    /// Signatures that came a second time with other content, whether rejected or only observed.
    pub signatures_reused: u64,
    /// Signatures that the memory guard has forgotten before they expired.
    pub guard_evictions: u64,
    /// Times that the guard's store could not be reached and the memory guard stood in.
    pub guard_fallbacks: u64,
    /// Finished deliveries that the store has forgotten before they expired.
    pub store_evictions: u64,
    /// Handlers that run right now.
    pub in_flight: usize,
    /// By how many seconds the senders' clock seems to differ from ours, if several signed requests in
    /// a row were rejected for the same offset: negative if ours is ahead.
    pub suspected_clock_skew: Option<i64>,
    verdicts: [u64; Verdict::ALL.len()],
}

impl Counters {
    /// How many requests were answered so.
    pub fn answered(&self, verdict: Verdict) -> u64 {
        self.verdicts[index(verdict)]
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    accepted: AtomicU64,
    signatures_reused: AtomicU64,
    guard_fallbacks: AtomicU64,
    /// 0 for none: a difference of 0 is never rejected.
    clock_skew: AtomicI64,
    verdicts: [AtomicU64; Verdict::ALL.len()],
}

impl Tally {
    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self, verdict: Verdict) {
        self.verdicts[index(verdict)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn signature_reused(&self) {
        self.signatures_reused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn guard_fallback(&self) {
        self.guard_fallbacks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn clock_skew(&self, seconds: i64) {
        self.clock_skew.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn read(
        &self,
        in_flight: usize,
        guard_evictions: u64,
        store_evictions: u64,
    ) -> Counters {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            accepted: load(&self.accepted),
            signatures_reused: load(&self.signatures_reused),
            guard_evictions,
            guard_fallbacks: load(&self.guard_fallbacks),
            store_evictions,
            in_flight,
            suspected_clock_skew: Some(self.clock_skew.load(Ordering::Relaxed))
                .filter(|skew| *skew != 0),
            verdicts: std::array::from_fn(|index| load(&self.verdicts[index])),
        }
    }
}

fn index(verdict: Verdict) -> usize {
    // ALL has every verdict; the fallback is never reached.
    Verdict::ALL
        .iter()
        .position(|other| *other == verdict)
        .unwrap_or_default()
}
