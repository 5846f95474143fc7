//! What is done although the store may not know it yet.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zego_record_core::DeliveryKey;

/// The deliveries whose handler has succeeded in this process and whose success is being written. A
/// store that is out of reach for longer than a lease would have a retry run the handler again.
///
/// Each belongs to a callback that is in flight or was a moment ago, so they are as few as those.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unwritten(Arc<Mutex<HashSet<DeliveryKey>>>);

/// Known as done until it is dropped.
#[derive(Debug)]
pub(crate) struct Done {
    unwritten: Unwritten,
    key: DeliveryKey,
}

impl Unwritten {
    pub(crate) fn insert(&self, key: DeliveryKey) -> Done {
        self.keys().insert(key);
        Done {
            unwritten: self.clone(),
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

impl Drop for Done {
    fn drop(&mut self) {
        self.unwritten.keys().remove(&self.key);
    }
}
