//! Deliveries in the memory of one process.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zego_record_core::DeliveryKey;

use crate::clock::{Clock, SystemClock};
use crate::report::gauge;
use crate::state::{DeliveryRecord, DeliveryState};
use crate::store::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, Settled, Settlement, StoreError,
};

const DEFAULT_CAPACITY: usize = 65_536;
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// The deliveries of one process, forgotten when it ends.
///
/// Several receivers of a process may share one. It holds a bounded number of deliveries; when it is
/// full, the delivery that finished first goes, never one that is running.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    capacity: usize,
    hasher: RandomState,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<DeliveryKey, Entry>,
    /// The latest delivery about a file, by the hash of its event id.
    latest: HashMap<u64, DeliveryKey>,
    /// What is done or failed, in the order in which it became so. Retention is the same for all, so
    /// this is also the order in which they expire.
    finished: BTreeMap<u64, DeliveryKey>,
    next_turn: u64,
    evictions: u64,
}

struct Entry {
    record: DeliveryRecord,
    event: u64,
    /// Its place in `finished`.
    turn: Option<u64>,
}

impl MemoryStore {
    /// A store for 65,536 deliveries.
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// A store for so many deliveries, at least one.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            capacity: capacity.max(1),
            hasher: RandomState::new(),
            table: Mutex::default(),
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
        self.table().entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No panic can leave the table half-written: nothing between two writes of it can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim_now(&self, claim: &Claim) -> ClaimOutcome {
        let event = self.hasher.hash_one(&claim.event_id);
        let now = self.clock.monotonic();
        let mut table = self.table();
        table.remove_expired(now, 2);
        let known = table.entries.get(&claim.key).map(|entry| entry.record);
        if known.is_none() && table.entries.len() >= self.capacity && !table.make_room(now) {
            return ClaimOutcome::Full;
        }
        let changed = table
            .latest
            .get(&event)
            .is_some_and(|latest| *latest != claim.key);
        let (record, outcome) = DeliveryRecord::claim(known, claim, changed, now);
        if let (Some(record), ClaimOutcome::Run(lease)) = (record, outcome) {
            if lease.epoch == 1 {
                table.latest.insert(event, claim.key);
            }
            table.put(claim.key, record, event);
        }
        outcome
    }

    fn settle_now(&self, claim: &Claim, settlement: Settlement) -> Settled {
        let event = self.hasher.hash_one(&claim.event_id);
        let now = self.clock.monotonic();
        let mut table = self.table();
        let known = table.entries.get(&claim.key).map(|entry| entry.record);
        let (record, settled) = DeliveryRecord::settle(known, claim, settlement, now);
        if let (Some(record), Settled::Applied) = (record, settled) {
            if known.is_none() && table.entries.len() >= self.capacity && !table.make_room(now) {
                return Settled::Stale;
            }
            table.put(claim.key, record, event);
        }
        settled
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("capacity", &self.capacity)
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

    fn purge(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async {
            let now = self.clock.monotonic();
            let mut table = self.table();
            let removed = table.remove_expired(now, usize::MAX) + table.remove_abandoned(now);
            Ok(removed as u64)
        })
    }

    fn default_retention(&self) -> Duration {
        RETENTION
    }

    fn evictions(&self) -> u64 {
        self.table().evictions
    }
}

impl Table {
    fn put(&mut self, key: DeliveryKey, record: DeliveryRecord, event: u64) {
        let turn = match record.state {
            DeliveryState::Running { .. } => None,
            DeliveryState::Done | DeliveryState::Failed => {
                self.next_turn += 1;
                self.finished.insert(self.next_turn, key);
                Some(self.next_turn)
            }
        };
        if let Some(before) = self.entries.insert(
            key,
            Entry {
                record,
                event,
                turn,
            },
        ) && let Some(turn) = before.turn
        {
            self.finished.remove(&turn);
        }
    }

    fn remove(&mut self, key: DeliveryKey) {
        let Some(entry) = self.entries.remove(&key) else {
            return;
        };
        if let Some(turn) = entry.turn {
            self.finished.remove(&turn);
        }
        if self.latest.get(&entry.event) == Some(&key) {
            self.latest.remove(&entry.event);
        }
    }

    /// Removes at most `most` finished deliveries that have expired, the oldest first.
    fn remove_expired(&mut self, now: Duration, most: usize) -> usize {
        let mut removed = 0;
        while removed < most
            && let Some((_, key)) = self
                .finished
                .first_key_value()
                .map(|(turn, key)| (*turn, *key))
            && self
                .entries
                .get(&key)
                .is_none_or(|entry| entry.record.is_forgotten(now))
        {
            self.remove(key);
            removed += 1;
        }
        removed
    }

    /// Removes what still counts as running although its lease has run out long ago: its task is gone.
    fn remove_abandoned(&mut self, now: Duration) -> usize {
        let abandoned: Vec<DeliveryKey> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.turn.is_none() && !entry.record.is_running(now))
            .map(|(key, _)| *key)
            .collect();
        abandoned.iter().for_each(|key| self.remove(*key));
        abandoned.len()
    }

    /// Whether there is room for one more, after the oldest finished delivery has gone if need be.
    fn make_room(&mut self, now: Duration) -> bool {
        if let Some((_, key)) = self
            .finished
            .first_key_value()
            .map(|(turn, key)| (*turn, *key))
        {
            self.remove(key);
            self.evictions += 1;
            gauge::count(gauge::Event::StoreEviction);
            return true;
        }
        self.remove_abandoned(now) > 0
    }
}
