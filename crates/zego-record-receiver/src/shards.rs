//! A memory in parts, as store and guard have it.

use std::sync::PoisonError;

use crate::sync::{Mutex, MutexGuard};

/// A shard is so small that growing it, or removing everything in it at once, makes no noticeable pause,
/// and nearly fills a table of 2,048 places, which has room for 1,792.
const SHARD_CAPACITY: usize = 1_750;

/// Parts of a bounded memory, each with a lock of its own.
pub(crate) struct Shards<T> {
    shards: Box<[Mutex<T>]>,
    shard_capacity: usize,
}

impl<T: Default> Shards<T> {
    /// Shards for `capacity` entries in total, at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        let shards = capacity.div_ceil(SHARD_CAPACITY).max(1);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            shard_capacity: (capacity / shards).max(1),
        }
    }
}

impl<T> Shards<T> {
    /// The shard of a hash.
    pub(crate) fn of(&self, hash: u64) -> MutexGuard<'_, T> {
        let index = usize::try_from(hash % self.shards.len() as u64).unwrap_or_default();
        lock(&self.shards[index])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.shards.iter().map(lock)
    }

    /// How many shards there are.
    pub(crate) fn count(&self) -> usize {
        self.shards.len()
    }

    /// How many entries a shard may hold.
    pub(crate) fn shard_capacity(&self) -> usize {
        self.shard_capacity
    }

    /// How many entries all of them may hold.
    pub(crate) fn capacity(&self) -> usize {
        self.shard_capacity * self.shards.len()
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    // No panic can leave a shard half-written: nothing between two writes of it can panic.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
