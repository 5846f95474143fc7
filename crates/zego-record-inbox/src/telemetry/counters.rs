//! What a worker counts.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// What a worker has counted since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerCounters {
    /// Handlers that are running.
    pub running: usize,
    /// Attempts that succeeded.
    pub done: u64,
    /// Attempts in which the handler discarded the callback.
    pub discarded: u64,
    /// Attempts that failed and are made again.
    pub failed: u64,
    /// Attempts that were given back and do not count.
    pub released: u64,
    /// Callbacks that have become dead letters.
    pub dead: u64,
    /// Runs whose lease ended, or was another worker's, before they were settled.
    pub leases_lost: u64,
    /// Runs whose end could not be recorded: their handler is run again.
    pub not_settled: u64,
    /// Callbacks whose stored form could not be read.
    pub corrupt: u64,
    /// Requests to the store that failed.
    pub store_failures: u64,
    /// Callbacks that were removed since they were done for long enough.
    pub pruned: u64,
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Done,
    Discarded,
    Failed,
    Released,
    Dead,
    LeaseLost,
    NotSettled,
    Corrupt,
    StoreFailure,
    Pruned,
}

impl Count {
    pub(crate) const ALL: [Self; 10] = [
        Self::Done,
        Self::Discarded,
        Self::Failed,
        Self::Released,
        Self::Dead,
        Self::LeaseLost,
        Self::NotSettled,
        Self::Corrupt,
        Self::StoreFailure,
        Self::Pruned,
    ];
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: [AtomicU64; Count::ALL.len()],
    running: AtomicI64,
}

impl Tally {
    pub(crate) fn count(&self, count: Count, events: u64) {
        self.counts[count as usize].fetch_add(events, Ordering::Relaxed);
    }

    /// How many run now.
    pub(crate) fn running(&self, change: i64) -> i64 {
        self.running.fetch_add(change, Ordering::Relaxed) + change
    }

    pub(crate) fn read(&self) -> WorkerCounters {
        let count = |count: Count| self.counts[count as usize].load(Ordering::Relaxed);
        WorkerCounters {
            running: usize::try_from(self.running.load(Ordering::Relaxed)).unwrap_or_default(),
            done: count(Count::Done),
            discarded: count(Count::Discarded),
            failed: count(Count::Failed),
            released: count(Count::Released),
            dead: count(Count::Dead),
            leases_lost: count(Count::LeaseLost),
            not_settled: count(Count::NotSettled),
            corrupt: count(Count::Corrupt),
            store_failures: count(Count::StoreFailure),
            pruned: count(Count::Pruned),
        }
    }
}
