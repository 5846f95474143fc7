//! The replay guard: one signature, one content.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, PoisonError};

use zego_record_core::UnixSeconds;

use crate::report::gauge;
use crate::store::{BoxFuture, StoreError};
use crate::sync::{Mutex, MutexGuard};

const DEFAULT_CAPACITY: usize = 131_072;
/// A shard has a lock of its own. It is so small that growing it, or removing everything in it at once,
/// makes no pause that anybody notices, and nearly fills a table of 2,048 places, which has room for 1,792.
const SHARD_CAPACITY: usize = 1_750;

/// Remembers which content a signature came with.
///
/// ZEGOCLOUD's signature does not cover the body: without a guard, whoever has seen one signed request
/// can send any other content under the same signature while it is fresh. The same content may come
/// again, since a retry may carry the same signature.
///
/// `bind` must be **one atomic step**: two requests under one signature never both get
/// [`First`](Binding::First).
pub trait ReplayGuard: fmt::Debug + Send + Sync {
    /// Binds the signature to the content unless it is bound already.
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>>;
}

/// For a guard that others hold as well.
impl<T: ReplayGuard + ?Sized> ReplayGuard for Arc<T> {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        (**self).bind(check)
    }
}

/// A signed request, as the guard sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReplayCheck {
    /// The 20 bytes of the signature.
    pub signature: [u8; 20],
    /// A digest of the content.
    pub content: [u8; 16],
    /// The receiver's clock.
    pub now: UnixSeconds,
    /// Until when this signature could be sent again and be fresh.
    pub keep_until: UnixSeconds,
}

/// Without the signature.
impl fmt::Debug for ReplayCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayCheck")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// What the guard knows of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// It was not seen before; it is now bound to the content.
    First,
    /// It was seen with the same content.
    Same,
    /// It was seen with other content.
    Conflict,
}

/// What a receiver makes of a signature that comes with other content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardMode {
    /// Nothing is remembered, and nothing rejected.
    Off,
    /// It is counted and logged, and let through.
    Observe,
    /// It is rejected and handed to the quarantine hook.
    #[default]
    Enforce,
}

/// The signatures that one process has seen.
///
/// It holds a bounded number of them. Entries go when they expire; only when it is full of live ones
/// the oldest go earlier, and are counted.
pub struct MemoryGuard {
    shards: Box<[Mutex<Shard>]>,
    shard_capacity: usize,
}

#[derive(Default)]
struct Shard {
    contents: HashMap<[u8; 20], [u8; 16]>,
    /// In the order of arrival, which is the order of expiry but for the tolerance.
    queue: VecDeque<Arrival>,
    evictions: u64,
}

struct Arrival {
    signature: [u8; 20],
    /// Seconds in four bytes, which last until 2106, since this is kept for every signature.
    keep_until: u32,
}

impl MemoryGuard {
    /// A guard for 131,072 signatures.
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// A guard for so many signatures, at least one.
    pub fn with_capacity(capacity: usize) -> Self {
        let shards = capacity.div_ceil(SHARD_CAPACITY).max(1);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            shard_capacity: (capacity / shards).max(1),
        }
    }

    /// How many signatures it holds.
    pub fn len(&self) -> usize {
        self.shards().map(|shard| shard.queue.len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many signatures had to go before they expired.
    pub fn evictions(&self) -> u64 {
        self.shards().map(|shard| shard.evictions).sum()
    }

    /// As the trait's method, without a future around it.
    pub fn bind_now(&self, check: &ReplayCheck) -> Binding {
        let [a, b, c, d, ..] = check.signature;
        let index = u32::from_be_bytes([a, b, c, d]) as usize % self.shards.len();
        lock(&self.shards[index]).bind(check, self.shard_capacity)
    }

    fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(lock)
    }
}

/// Without the signatures: whoever reads one can send any body under it.
impl fmt::Debug for MemoryGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capacity = self.shard_capacity * self.shards.len();
        f.debug_struct("MemoryGuard")
            .field("capacity", &capacity)
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
}

impl Shard {
    fn bind(&mut self, check: &ReplayCheck, capacity: usize) -> Binding {
        let now = whole_seconds(check.now);
        while self
            .queue
            .front()
            .is_some_and(|oldest| oldest.keep_until < now)
        {
            self.remove_oldest();
        }
        match self.contents.entry(check.signature) {
            Entry::Occupied(bound) if *bound.get() == check.content => return Binding::Same,
            Entry::Occupied(_) => return Binding::Conflict,
            Entry::Vacant(free) => free.insert(check.content),
        };
        self.queue.push_back(Arrival {
            signature: check.signature,
            keep_until: whole_seconds(check.keep_until),
        });
        if self.queue.len() > capacity {
            self.remove_oldest();
            self.evictions += 1;
            gauge::count(gauge::Event::GuardEviction);
        }
        Binding::First
    }

    fn remove_oldest(&mut self) {
        if let Some(oldest) = self.queue.pop_front() {
            self.contents.remove(&oldest.signature);
        }
    }
}

/// Seconds since the epoch, saturating at both ends.
fn whole_seconds(time: UnixSeconds) -> u32 {
    u32::try_from(time.get().max(0)).unwrap_or(u32::MAX)
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // No panic can leave a shard half-written: nothing between two writes of it can panic.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
