//! Pending completions: deliveries that are done although the store may not know it yet.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zego_record_core::DeliveryKey;

/// The deliveries whose handler has succeeded in this process and whose completion is not recorded yet.
/// While a store is out of reach for longer than a lease, a retry would otherwise run the handler again.
///
/// Each belongs to a callback that is in flight or was a moment ago, so there are no more than of those.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingCompletions(Arc<Mutex<HashSet<DeliveryKey>>>);

/// Pending until it is dropped.
#[derive(Debug)]
pub(crate) struct PendingCompletion {
    all: PendingCompletions,
    key: DeliveryKey,
}

impl PendingCompletions {
    pub(crate) fn insert(&self, key: DeliveryKey) -> PendingCompletion {
        self.keys().insert(key);
        PendingCompletion {
            all: self.clone(),
            key,
        }
    }

    pub(crate) fn contains(&self, key: &DeliveryKey) -> bool {
        self.keys().contains(key)
    }

    fn keys(&self) -> MutexGuard<'_, HashSet<DeliveryKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PendingCompletion {
    fn drop(&mut self) {
        self.all.keys().remove(&self.key);
    }
}
