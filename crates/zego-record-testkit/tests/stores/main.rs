//! The suites accept what is right, and name the rule that a broken store breaks.

#![allow(clippy::unwrap_used)]

mod guards;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use guards::{GuardFaults, PlainGuard, ReadsThenBinds};

use zego_record_core::UnixSeconds;
use zego_record_receiver::{
    BoxFuture, Claim, ClaimOutcome, Clock, DeliveryRecord, DeliveryState, DeliveryStore, Lease,
    MemoryGuard, MemoryStore, ReplayCheck, Settled, Settlement, StoreError,
};
use zego_record_testkit::ManualClock;
use zego_record_testkit::stores::{
    assert_guard_conformant, assert_guard_conformant_across_handles, assert_store_conformant,
    assert_store_conformant_across_handles,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_conforms() {
    let clock = ManualClock::new(UnixSeconds::new(0));
    let store = Arc::new(MemoryStore::new().with_clock(clock.clone()));
    for _ in 0..3 {
        assert_store_conformant(Arc::clone(&store), async |time| clock.advance(time)).await;
        let open = async || Arc::clone(&store);
        assert_store_conformant_across_handles(open, async |time| clock.advance(time)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_guard_conforms() {
    let clock = ManualClock::new(UnixSeconds::new(0));
    let guard = Arc::new(MemoryGuard::new().with_clock(clock.clone()));
    for _ in 0..3 {
        assert_guard_conformant(Arc::clone(&guard), async |time| clock.advance(time)).await;
        let open = async || Arc::clone(&guard);
        assert_guard_conformant_across_handles(open, async |time| clock.advance(time)).await;
    }
}

#[tokio::test]
async fn a_deliberately_plain_store_conforms() {
    assert_eq!(broken_rule(Faults::default()).await, None);
}

#[tokio::test]
async fn a_store_whose_records_expire_by_themselves_conforms() {
    let faults = Faults {
        purges: |_, _| false,
        ..Faults::default()
    };
    assert_eq!(broken_rule(faults).await, None);
}

#[tokio::test]
async fn a_broken_store_is_named() {
    let claims: [(&str, Break<ClaimOutcome>); 5] = [
        (
            "what is running is busy for others",
            |change, outcome| match outcome {
                ClaimOutcome::Busy => change.undo_as(ClaimOutcome::Done),
                outcome => outcome,
            },
        ),
        ("what is done stays done", |change, outcome| match outcome {
            ClaimOutcome::Done => change.undo_as(ClaimOutcome::Busy),
            outcome => outcome,
        }),
        ("and the epoch grows", |_, outcome| match outcome {
            ClaimOutcome::Run(lease) => ClaimOutcome::Run(Lease::new(1, lease.changed)),
            outcome => outcome,
        }),
        (
            "a claim that its owner repeats",
            |change, outcome| match change.before {
                Some(before) if matches!(before.state, DeliveryState::Running { .. }) => {
                    change.undo_as(ClaimOutcome::Busy)
                }
                _ => outcome,
            },
        ),
        ("a lease is not longer than asked", |change, outcome| {
            change.lengthen_lease();
            outcome
        }),
    ];
    for (rule, claim) in claims {
        assert_broken(
            rule,
            Faults {
                claim,
                ..Faults::default()
            },
        )
        .await;
    }
    let settlements: [(&str, Break<Settled>); 3] = [
        ("a stale owner changes nothing", |change, settled| {
            if let (Settled::Stale, Some(before)) = (settled, change.before)
                && matches!(before.state, DeliveryState::Running { .. })
            {
                *change.after = Some(DeliveryRecord {
                    state: DeliveryState::Failed,
                    ..before
                });
                return Settled::Applied;
            }
            settled
        }),
        ("a settlement renews the retention", |change, settled| {
            if let (Some(before), Some(after)) = (change.before, &mut *change.after) {
                after.expires = before.expires;
            }
            settled
        }),
        ("a lease is not longer than asked", |change, settled| {
            change.lengthen_lease();
            settled
        }),
    ];
    for (rule, settle) in settlements {
        assert_broken(
            rule,
            Faults {
                settle,
                ..Faults::default()
            },
        )
        .await;
    }
}

#[tokio::test]
async fn a_store_that_purges_wrongly_is_named() {
    let rows: [(&str, Faults); 7] = [
        (
            "purge never removes what is running",
            Faults {
                purges: |record, _| matches!(record.state, DeliveryState::Running { .. }),
                ..Faults::default()
            },
        ),
        (
            "purge never removes what is running",
            Faults {
                // The retention counts from the claim, whatever the lease.
                purges: |record, now| match record.state {
                    DeliveryState::Running { lease_ends, .. } => {
                        record.expires - lease_ends + Duration::from_secs(1) <= now
                    }
                    _ => record.is_forgotten(now),
                },
                ..Faults::default()
            },
        ),
        (
            "purge never removes what has not expired",
            Faults {
                purges: |record, _| record.state == DeliveryState::Done,
                ..Faults::default()
            },
        ),
        (
            "purge never removes what has not expired",
            Faults {
                purges: |record, _| record.state == DeliveryState::Failed,
                ..Faults::default()
            },
        ),
        (
            "purge never removes what has not expired",
            Faults {
                purges: |record, now| !record.is_running(now) && record.epoch == 1,
                ..Faults::default()
            },
        ),
        (
            "purge honours its limit",
            Faults {
                page: |_| u32::MAX,
                ..Faults::default()
            },
        ),
        (
            "purge returns how many it removed",
            Faults {
                returns: |removed, _| removed.div_ceil(2),
                ..Faults::default()
            },
        ),
    ];
    for (rule, faults) in rows {
        assert_broken(rule, faults).await;
    }
}

/// Each handle has a lock of its own, as a process has; one handle alone does not show the race.
#[tokio::test]
async fn a_store_that_reads_first_and_writes_later_behind_a_lock_is_found_across_handles() {
    let plain = Arc::new(Plain::new(Faults::default()));
    let clock = plain.clock.clone();
    let open = {
        let plain = Arc::clone(&plain);
        move || std::future::ready(Arc::new(ReadsThenWrites::new(&plain)))
    };
    let suite = assert_store_conformant(open().await, pass(&clock));
    assert_eq!(panic_of(suite).await, None);
    let suite = assert_store_conformant_across_handles(open, pass(&clock));
    let broken = panic_of(suite).await.unwrap();
    assert!(
        broken.contains("a race of claims has one winner"),
        "{broken}"
    );
}

/// Handles that remember for themselves what the others should see.
#[tokio::test]
async fn handles_that_do_not_share_what_is_written_are_found() {
    let clock = ManualClock::new(UnixSeconds::new(0));
    let open = {
        let clock = clock.clone();
        move || std::future::ready(Arc::new(MemoryStore::new().with_clock(clock.clone())))
    };
    let suite = assert_store_conformant_across_handles(open, pass(&clock));
    assert!(panic_of(suite).await.is_some());
    let open = {
        let clock = clock.clone();
        move || std::future::ready(Arc::new(MemoryGuard::new().with_clock(clock.clone())))
    };
    let suite = assert_guard_conformant_across_handles(open, pass(&clock));
    assert!(panic_of(suite).await.is_some());
}

#[tokio::test]
async fn a_broken_guard_is_named() {
    let rows: [(&str, GuardFaults); 6] = [
        (
            "all 16 bytes of a content count",
            GuardFaults {
                bind: |check| {
                    ReplayCheck::new(check.signature, [check.content[0]; 16], check.keep_for)
                },
                ..GuardFaults::default()
            },
        ),
        (
            "a binding is kept for as long as asked",
            GuardFaults {
                bind: |check| ReplayCheck::new(check.signature, check.content, check.keep_for / 3),
                ..GuardFaults::default()
            },
        ),
        (
            "a binding expires",
            GuardFaults {
                bind: |check| ReplayCheck::new(check.signature, check.content, check.keep_for * 2),
                ..GuardFaults::default()
            },
        ),
        (
            "a repeat does not prolong it",
            GuardFaults {
                prolongs: true,
                ..GuardFaults::default()
            },
        ),
        (
            "purge removes nothing that has not expired",
            GuardFaults {
                purges: |_, _| true,
                ..GuardFaults::default()
            },
        ),
        (
            "purge returns how many it removed",
            GuardFaults {
                returns: |removed| removed.div_ceil(2),
                ..GuardFaults::default()
            },
        ),
    ];
    for (rule, faults) in rows {
        let guard = Arc::new(PlainGuard::new(faults));
        let clock = guard.clock.clone();
        let broken = panic_of(assert_guard_conformant(guard, pass(&clock))).await;
        let broken = broken.unwrap_or_else(|| panic!("not found: {rule}"));
        assert!(broken.contains(rule), "{broken}");
    }
    let guard = Arc::new(PlainGuard::new(GuardFaults::default()));
    let clock = guard.clock.clone();
    assert_eq!(
        panic_of(assert_guard_conformant(guard, pass(&clock))).await,
        None
    );
}

#[tokio::test]
async fn a_guard_that_reads_first_and_writes_later_is_found() {
    let plain = Arc::new(PlainGuard::new(GuardFaults::default()));
    let clock = plain.clock.clone();
    let open = move || std::future::ready(Arc::new(ReadsThenBinds(Arc::clone(&plain))));
    let suite = assert_guard_conformant_across_handles(open, pass(&clock));
    let broken = panic_of(suite).await.unwrap();
    assert!(broken.contains("a race has one first"), "{broken}");
}

/// What a plain store is about to write, for a test to break.
struct Change<'a, T> {
    before: Option<DeliveryRecord>,
    after: &'a mut Option<DeliveryRecord>,
    now: Duration,
    result: std::marker::PhantomData<T>,
}

impl<T> Change<'_, T> {
    fn undo_as(&mut self, result: T) -> T {
        *self.after = self.before;
        result
    }

    /// A lease that begins now becomes twice as long.
    fn lengthen_lease(&mut self) {
        let is_new = *self.after != self.before;
        if let Some(DeliveryRecord {
            state: DeliveryState::Running { lease_ends, .. },
            ..
        }) = self.after
            && is_new
        {
            *lease_ends += *lease_ends - self.now;
        }
    }
}

type Break<T> = fn(&mut Change<'_, T>, T) -> T;

/// What is wrong with a plain store; nothing by default.
#[derive(Clone, Copy, Debug)]
struct Faults {
    claim: Break<ClaimOutcome>,
    settle: Break<Settled>,
    /// What a purge removes.
    purges: fn(&DeliveryRecord, Duration) -> bool,
    /// How much it removes, by its limit.
    page: fn(u32) -> u32,
    /// What it returns, by what it has removed and its limit.
    returns: fn(u64, u32) -> u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            claim: |_, outcome| outcome,
            settle: |_, settled| settled,
            purges: DeliveryRecord::is_forgotten,
            page: |limit| limit,
            returns: |removed, _| removed,
        }
    }
}

/// The simplest store there is: a list under a lock, and the transition functions.
#[derive(Debug)]
struct Plain {
    clock: ManualClock,
    records: Mutex<Vec<(Claim, DeliveryRecord)>>,
    faults: Faults,
}

impl Plain {
    fn new(faults: Faults) -> Self {
        Self {
            clock: ManualClock::new(UnixSeconds::new(0)),
            records: Mutex::default(),
            faults,
        }
    }

    fn record(&self, claim: &Claim) -> Option<DeliveryRecord> {
        let records = self.records.lock().unwrap();
        let known = records.iter().find(|(other, _)| other.key == claim.key);
        known.map(|(_, record)| *record)
    }

    fn step<T>(
        &self,
        claim: &Claim,
        decide: impl Fn(Option<DeliveryRecord>, bool, Duration) -> (Option<DeliveryRecord>, T),
        broken: Break<T>,
    ) -> T {
        let mut records = self.records.lock().unwrap();
        let now = self.clock.monotonic();
        let known = records.iter().position(|(other, _)| other.key == claim.key);
        let changed = records
            .iter()
            .any(|(other, _)| other.event_id == claim.event_id && other.key != claim.key);
        let before = known.map(|index| records[index].1);
        let (mut after, result) = decide(before, changed, now);
        let mut change = Change {
            before,
            after: &mut after,
            now,
            result: std::marker::PhantomData,
        };
        let result = broken(&mut change, result);
        match (known, after) {
            (Some(index), Some(after)) => records[index].1 = after,
            (None, Some(after)) => records.push((claim.clone(), after)),
            (_, None) => {}
        }
        result
    }
}

impl DeliveryStore for Plain {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        let decide = |record, changed, now| DeliveryRecord::claim(record, claim, changed, now);
        let outcome = self.step(claim, decide, self.faults.claim);
        Box::pin(async move { Ok(outcome) })
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let decide = |record, _, now| DeliveryRecord::settle(record, claim, settlement, now);
        let settled = self.step(claim, decide, self.faults.settle);
        Box::pin(async move { Ok(settled) })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        let now = self.clock.monotonic();
        let mut records = self.records.lock().unwrap();
        let (before, mut left) = (records.len(), (self.faults.page)(limit));
        records.retain(|(_, record)| {
            let goes = left > 0 && (self.faults.purges)(record, now);
            left -= u32::from(goes);
            !goes
        });
        let purged = (self.faults.returns)((before - records.len()) as u64, limit);
        Box::pin(async move { Ok(purged) })
    }

    fn default_retention(&self) -> Duration {
        Duration::from_secs(24 * 60 * 60)
    }

    fn evictions(&self) -> u64 {
        0
    }
}

/// A claim that is a SELECT and then, a moment later, an INSERT or an UPDATE, behind a lock that each
/// handle has for itself.
#[derive(Debug)]
struct ReadsThenWrites {
    plain: Arc<Plain>,
    lock: tokio::sync::Mutex<()>,
}

impl ReadsThenWrites {
    fn new(plain: &Arc<Plain>) -> Self {
        Self {
            plain: Arc::clone(plain),
            lock: tokio::sync::Mutex::default(),
        }
    }
}

impl DeliveryStore for ReadsThenWrites {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        Box::pin(async move {
            let _locked = self.lock.lock().await;
            let plain = &self.plain;
            let seen = plain.record(claim);
            tokio::task::yield_now().await;
            let decide = |_, changed, now| DeliveryRecord::claim(seen, claim, changed, now);
            Ok(plain.step(claim, decide, plain.faults.claim))
        })
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        self.plain.settle(claim, settlement)
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.plain.purge(limit)
    }

    fn default_retention(&self) -> Duration {
        self.plain.default_retention()
    }

    fn evictions(&self) -> u64 {
        0
    }
}

fn pass(clock: &ManualClock) -> impl Fn(Duration) -> std::future::Ready<()> + Send + 'static {
    let clock = clock.clone();
    move |time| {
        clock.advance(time);
        std::future::ready(())
    }
}

async fn assert_broken(rule: &str, faults: Faults) {
    let broken = broken_rule(faults).await;
    let broken = broken.unwrap_or_else(|| panic!("not found: {rule}"));
    assert!(broken.contains(rule), "{rule}: {broken}");
}

async fn broken_rule(faults: Faults) -> Option<String> {
    let store = Plain::new(faults);
    let clock = store.clock.clone();
    panic_of(assert_store_conformant(Arc::new(store), pass(&clock))).await
}

async fn panic_of(suite: impl Future<Output = ()> + Send + 'static) -> Option<String> {
    let panic = tokio::spawn(suite).await.err()?.into_panic();
    Some(panic.downcast_ref::<String>().cloned().unwrap_or_default())
}
