//! Missing retries: callbacks that have failed and that ZEGOCLOUD did not send again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zego_record_core::DeliveryKey;

use crate::hooks::Abandoned;

/// The last retry comes 32 s after the attempt before it, plus as long as ZEGOCLOUD waits for a
/// response, which is not documented.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(64);

/// Bounds the memory that a flood of failures can take: what comes beyond it is not watched, and counted.
const MAX_WATCHED: usize = 1_024;

/// Callbacks that were answered with a failure and whose retry is expected.
#[derive(Debug, Default)]
pub(crate) struct MissingRetries(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    failures: HashMap<DeliveryKey, (Instant, Abandoned)>,
    /// In the order of their deadlines. One that does not match its failure any more is skipped.
    deadlines: VecDeque<(Instant, DeliveryKey)>,
}

impl MissingRetries {
    /// A delivery has failed; `false` if there are too many to watch this one as well.
    pub(crate) fn failed(&self, key: DeliveryKey, failure: Abandoned) -> bool {
        let deadline = Instant::now() + GIVEN_UP_AFTER;
        let mut watched = self.watched();
        if watched.failures.len() >= MAX_WATCHED && !watched.failures.contains_key(&key) {
            return false;
        }
        watched.failures.insert(key, (deadline, failure));
        watched.deadlines.push_back((deadline, key));
        if watched.deadlines.len() > 2 * MAX_WATCHED {
            let Watched {
                failures,
                deadlines,
            } = &mut *watched;
            deadlines.retain(|(deadline, key)| is_current(failures, *deadline, key));
        }
        true
    }

    /// A delivery is done.
    pub(crate) fn succeeded(&self, key: &DeliveryKey) {
        let mut watched = self.watched();
        if !watched.failures.is_empty() {
            watched.failures.remove(key);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.watched().failures.is_empty()
    }

    /// The retries that are missing by now, and when the next one will be.
    pub(crate) fn take_missing(&self) -> (Vec<Abandoned>, Option<Instant>) {
        let now = Instant::now();
        let mut watched = self.watched();
        let mut missing = Vec::new();
        while let Some((deadline, key)) = watched.deadlines.front().copied() {
            if is_current(&watched.failures, deadline, &key) {
                if deadline > now {
                    return (missing, Some(deadline));
                }
                missing.extend(watched.failures.remove(&key).map(|(_, failure)| failure));
            }
            watched.deadlines.pop_front();
        }
        (missing, None)
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_current(
    failures: &HashMap<DeliveryKey, (Instant, Abandoned)>,
    deadline: Instant,
    key: &DeliveryKey,
) -> bool {
    failures
        .get(key)
        .is_some_and(|(current, _)| *current == deadline)
}
