//! Pending completions: deliveries that are done although the store may not know it yet.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zego_record_core::DeliveryKey;

/// The deliveries whose handler has succeeded in this process and whose completion is not recorded yet.
/// While a store is out of reach for longer than a lease, a retry would otherwise run the handler again.
///
/// A key is removed when its completion is recorded or given up. One whose task has ended with its runtime
/// before that stays, and the next retry records it; there are no more of those than were in flight.
#[derive(Debug, Default)]
pub(crate) struct PendingCompletions(Mutex<HashSet<DeliveryKey>>);

impl PendingCompletions {
    pub(crate) fn insert(&self, key: DeliveryKey) {
        self.keys().insert(key);
    }

    pub(crate) fn remove(&self, key: &DeliveryKey) {
        self.keys().remove(key);
    }

    pub(crate) fn contains(&self, key: &DeliveryKey) -> bool {
        self.keys().contains(key)
    }

    fn keys(&self) -> MutexGuard<'_, HashSet<DeliveryKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
