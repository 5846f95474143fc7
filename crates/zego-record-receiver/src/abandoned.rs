//! Notices that ZEGOCLOUD has given up.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zego_record_core::{DeliveryKey, RecordCallback, Verdict};

use crate::hooks::Abandoned;

/// The last retry comes 32 s after the attempt before it, plus as long as ZEGOCLOUD waits for an
/// answer, which is not documented.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(64);

/// So that a flood of failures cannot fill the memory: what is beyond is not watched.
const MOST: usize = 1_024;

/// Callbacks that were answered with a failure, and whose retry is due.
#[derive(Debug, Default)]
pub(crate) struct Overdue(Mutex<HashMap<DeliveryKey, (Instant, Abandoned)>>);

/// What a delivery's watcher has to do next.
pub(crate) enum Watch {
    SleepUntil(Instant),
    GivenUp(Abandoned),
    /// It came again.
    Over,
}

impl Overdue {
    /// A delivery has failed. If the answer is a time, the caller is its watcher and sleeps until then.
    pub(crate) fn failed(
        &self,
        key: DeliveryKey,
        callback: RecordCallback,
        verdict: Verdict,
    ) -> Option<Instant> {
        let due = Instant::now() + GIVEN_UP_AFTER;
        let failure = (due, Abandoned { callback, verdict });
        let mut waiting = self.waiting();
        let is_full = waiting.len() >= MOST;
        match waiting.entry(key) {
            Entry::Occupied(mut watched) => {
                watched.insert(failure);
                None
            }
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(free) => {
                free.insert(failure);
                Some(due)
            }
        }
    }

    /// A delivery came again and is done.
    pub(crate) fn done(&self, key: &DeliveryKey) {
        self.waiting().remove(key);
    }

    /// A watcher has slept until it was told to.
    pub(crate) fn look(&self, key: &DeliveryKey) -> Watch {
        let mut waiting = self.waiting();
        match waiting.get(key) {
            Some((due, _)) if *due > Instant::now() => Watch::SleepUntil(*due),
            _ => waiting
                .remove(key)
                .map_or(Watch::Over, |(_, abandoned)| Watch::GivenUp(abandoned)),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<DeliveryKey, (Instant, Abandoned)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
