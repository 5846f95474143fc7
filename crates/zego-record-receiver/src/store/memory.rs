//! Deliveries in the memory of one process.

use std::cmp::Reverse;
use std::collections::hash_map::Entry::Occupied;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zego_record_core::DeliveryKey;

use super::contract::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, Settled, Settlement, StoreError,
};
use super::state::{DeliveryRecord, DeliveryState};
use crate::clock::{Clock, SystemClock};
use crate::shards::Shards;
use crate::sync::MutexGuard;

const DEFAULT_CAPACITY: usize = 65_536;
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// How many expired deliveries a claim removes from its own shard, and from another one in turn, so that
/// shards that nobody asks for become empty as well.
const SWEEP_OWN: usize = 2;
const SWEEP_OTHER: usize = 8;

/// The deliveries of one process, forgotten when it ends.
///
/// Several receivers of a process may share one. It holds a bounded number of deliveries; when it is
/// full, the finished delivery that expires first goes, never one that is running. A store for more than some
/// thousand deliveries consists of parts that fill independently, so the first of a part goes then.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    shards: Shards<Shard>,
    next_sweep: AtomicU64,
}

/// All deliveries about some of the recorded files.
#[derive(Default)]
struct Shard {
    entries: HashMap<DeliveryKey, Entry>,
    /// How many deliveries about a file are known, by the hash of its event id.
    about: HashMap<u64, u32>,
    /// What is done or failed; what expires first is on top, also when receivers with different retention
    /// share a store. A turn that is not its entry's any more is skipped.
    finished: BinaryHeap<Reverse<(Duration, u64, DeliveryKey)>>,
    next_turn: u64,
    evictions: u64,
}

struct Entry {
    record: DeliveryRecord,
    event: u64,
    /// Its turn in `finished`; 0 while it runs.
    turn: u64,
}

impl MemoryStore {
    /// A store for 65,536 deliveries.
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// A store for `capacity` deliveries, at least one.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            hasher: RandomState::new(),
            shards: Shards::new(capacity),
            next_sweep: AtomicU64::new(0),
        }
    }

    /// The same store on another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How many deliveries it holds.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.entries.len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shard of an event, which all deliveries about one file belong to.
    fn shard(&self, event: u64) -> MutexGuard<'_, Shard> {
        // The table inside hashes the event anew, so that a remainder of it is as good as any.
        self.shards.of(event)
    }

    fn sweep_another(&self, now: Duration) {
        let turn = self.next_sweep.fetch_add(1, Ordering::Relaxed);
        self.shards.of(turn).remove_expired(now, SWEEP_OTHER);
    }

    fn claim_now(&self, claim: &Claim) -> ClaimOutcome {
        let event = self.hasher.hash_one(&claim.event_id);
        let now = self.clock.monotonic();
        if self.shards.count() > 1 {
            self.sweep_another(now);
        }
        let mut shard = self.shard(event);
        shard.remove_expired(now, SWEEP_OWN);
        let known = shard.entries.get(&claim.key).map(|entry| entry.record);
        if known.is_none() && !shard.has_room(self.shards.shard_capacity(), now) {
            return ClaimOutcome::Full;
        }
        let about = shard.about.get(&event).copied().unwrap_or_default();
        let changed = about > u32::from(known.is_some());
        let (record, outcome) = DeliveryRecord::claim(known, claim, changed, now);
        if let (Some(record), ClaimOutcome::Run(_)) = (record, outcome) {
            shard.put(claim.key, record, event);
        }
        outcome
    }

    fn settle_now(&self, claim: &Claim, settlement: Settlement) -> Settled {
        let event = self.hasher.hash_one(&claim.event_id);
        let now = self.clock.monotonic();
        let mut shard = self.shard(event);
        let known = shard.entries.get(&claim.key).map(|entry| entry.record);
        let (record, settled) = DeliveryRecord::settle(known, claim, settlement, now);
        if let (Some(record), Settled::Applied) = (record, settled) {
            if known.is_none() && !shard.has_room(self.shards.shard_capacity(), now) {
                return Settled::Stale;
            }
            shard.put(claim.key, record, event);
        }
        settled
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("capacity", &self.shards.capacity())
            .finish_non_exhaustive()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl DeliveryStore for MemoryStore {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        Box::pin(async { Ok(self.claim_now(claim)) })
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        Box::pin(async move { Ok(self.settle_now(claim, settlement)) })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let now = self.clock.monotonic();
            let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
            for mut shard in self.shards.iter() {
                left -= shard.remove_expired(now, left);
                left -= shard.remove_running_if(left, |record| record.is_forgotten(now));
            }
            Ok(u64::from(limit) - left as u64)
        })
    }

    fn default_retention(&self) -> Duration {
        RETENTION
    }

    fn evictions(&self) -> u64 {
        self.shards.iter().map(|shard| shard.evictions).sum()
    }
}

impl Shard {
    fn put(&mut self, key: DeliveryKey, record: DeliveryRecord, event: u64) {
        let turn = match record.state {
            DeliveryState::Running { .. } => 0,
            DeliveryState::Done | DeliveryState::Failed => {
                self.next_turn += 1;
                let finished = (record.expires, self.next_turn, key);
                self.finished.push(Reverse(finished));
                self.next_turn
            }
        };
        let entry = Entry {
            record,
            event,
            turn,
        };
        if self.entries.insert(key, entry).is_none() {
            *self.about.entry(event).or_default() += 1;
        }
        // What fails again and again leaves a turn behind each time.
        if self.finished.len() > 2 * self.entries.len() {
            let entries = &self.entries;
            self.finished
                .retain(|Reverse((_, turn, key))| is_turn_of(entries, *turn, key));
        }
    }

    fn remove(&mut self, key: DeliveryKey) {
        if let Some(entry) = self.entries.remove(&key)
            && let Occupied(mut about) = self.about.entry(entry.event)
        {
            *about.get_mut() -= 1;
            if *about.get() == 0 {
                about.remove();
            }
        }
    }

    /// The finished delivery that expires first.
    fn first_finished(&mut self) -> Option<DeliveryKey> {
        while let Some(Reverse((_, turn, key))) = self.finished.peek() {
            if is_turn_of(&self.entries, *turn, key) {
                return Some(*key);
            }
            self.finished.pop();
        }
        None
    }

    /// Removes at most `most` finished deliveries that have expired, the oldest first.
    fn remove_expired(&mut self, now: Duration, most: usize) -> usize {
        let mut removed = 0;
        while removed < most
            && let Some(key) = self.first_finished()
            && self
                .entries
                .get(&key)
                .is_some_and(|entry| entry.record.is_forgotten(now))
        {
            self.remove(key);
            removed += 1;
        }
        removed
    }

    /// Removes at most `most` deliveries whose handler was started and never settled, for which this
    /// holds.
    fn remove_running_if(&mut self, most: usize, goes: impl Fn(&DeliveryRecord) -> bool) -> usize {
        let going: Vec<DeliveryKey> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.turn == 0 && goes(&entry.record))
            .map(|(key, _)| *key)
            .take(most)
            .collect();
        going.iter().for_each(|key| self.remove(*key));
        going.len()
    }

    /// Whether there is room for one more, after the oldest finished delivery has gone if need be.
    fn has_room(&mut self, capacity: usize, now: Duration) -> bool {
        if self.entries.len() < capacity {
            return true;
        }
        if let Some(key) = self.first_finished() {
            self.remove(key);
            self.evictions += 1;
            return true;
        }
        // A lease that has run out belongs to a task that is gone.
        self.remove_running_if(usize::MAX, |record| !record.is_running(now)) > 0
    }
}

fn is_turn_of(entries: &HashMap<DeliveryKey, Entry>, turn: u64, key: &DeliveryKey) -> bool {
    entries.get(key).is_some_and(|entry| entry.turn == turn)
}
