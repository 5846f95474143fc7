//! The guard in the memory of one process.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::contract::{Binding, ReplayCheck, ReplayGuard};
use crate::clock::{Clock, SystemClock};
use crate::shards::Shards;
use crate::store::{BoxFuture, StoreError};

const DEFAULT_CAPACITY: usize = 131_072;

/// The signatures that one process has seen.
///
/// It holds a bounded number of them. A signature is removed when it expires; only when the guard is
/// full of live ones, those that expire first are removed earlier, and counted.
pub struct MemoryGuard {
    clock: Arc<dyn Clock>,
    shards: Shards<Shard>,
}

#[derive(Default)]
struct Shard {
    contents: HashMap<[u8; 20], [u8; 16]>,
    /// What expires first is on top, also when receivers with different tolerances share a guard.
    expiries: BinaryHeap<Reverse<(Expiry, [u8; 20])>>,
    evictions: u64,
}

/// In seconds, rounded up, on the guard's clock. Four bytes last for 136 years, and this is kept for
/// every signature.
type Expiry = u32;

impl MemoryGuard {
    /// A guard for 131,072 signatures.
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// A guard for `capacity` signatures, at least one.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            shards: Shards::new(capacity),
        }
    }

    /// The same guard on the monotonic side of another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How many signatures it holds.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.contents.len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As [`ReplayGuard::bind`], without a future around it.
    pub fn bind_now(&self, check: &ReplayCheck) -> Binding {
        let [a, b, c, d, ..] = check.signature;
        let now = self.clock.monotonic();
        let mut shard = self.shards.of(u32::from_be_bytes([a, b, c, d]).into());
        shard.bind(check, now, self.shards.shard_capacity())
    }
}

/// Without the signatures.
impl fmt::Debug for MemoryGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryGuard")
            .field("capacity", &self.shards.capacity())
            .finish_non_exhaustive()
    }
}

impl Default for MemoryGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplayGuard for MemoryGuard {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        Box::pin(async { Ok(self.bind_now(check)) })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let now = self.clock.monotonic();
            let mut left = u64::from(limit);
            for mut shard in self.shards.iter() {
                left -= shard.remove_expired(now, left);
            }
            Ok(u64::from(limit) - left)
        })
    }

    fn evictions(&self) -> u64 {
        self.shards.iter().map(|shard| shard.evictions).sum()
    }

    fn is_infallible(&self) -> bool {
        true
    }
}

impl Shard {
    fn bind(&mut self, check: &ReplayCheck, now: Duration, capacity: usize) -> Binding {
        self.remove_expired(now, u64::MAX);
        match self.contents.entry(check.signature) {
            Entry::Occupied(bound) if *bound.get() == check.content => return Binding::Same,
            Entry::Occupied(_) => return Binding::Conflict,
            Entry::Vacant(free) => free.insert(check.content),
        };
        if self.contents.len() > capacity && self.remove_first() {
            self.evictions += 1;
        }
        let expires = expiry(now.saturating_add(check.keep_for));
        self.expiries.push(Reverse((expires, check.signature)));
        Binding::First
    }

    fn remove_expired(&mut self, now: Duration, most: u64) -> u64 {
        let mut removed = 0;
        while removed < most
            && let Some(Reverse((expires, _))) = self.expiries.peek()
            && u64::from(*expires) <= now.as_secs()
        {
            self.remove_first();
            removed += 1;
        }
        removed
    }

    /// Removes what expires first.
    fn remove_first(&mut self) -> bool {
        let Some(Reverse((_, signature))) = self.expiries.pop() else {
            return false;
        };
        self.contents.remove(&signature).is_some()
    }
}

fn expiry(time: Duration) -> Expiry {
    let seconds = time.as_secs().saturating_add(1);
    Expiry::try_from(seconds).unwrap_or(Expiry::MAX)
}
