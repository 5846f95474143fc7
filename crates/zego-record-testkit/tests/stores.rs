//! The suites accept what is right, and name the rule that a broken store breaks.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use zego_record_core::UnixSeconds;
use zego_record_receiver::{
    Binding, BoxFuture, Claim, ClaimOutcome, Clock, DeliveryRecord, DeliveryState, DeliveryStore,
    MemoryGuard, MemoryStore, ReplayCheck, ReplayGuard, Settled, Settlement, StoreError,
};
use zego_record_testkit::ManualClock;
use zego_record_testkit::stores::{assert_guard_conformant, assert_store_conformant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_conforms() {
    let clock = ManualClock::new(UnixSeconds::new(0));
    let store = Arc::new(MemoryStore::new().with_clock(clock.clone()));
    for _ in 0..3 {
        assert_store_conformant(Arc::clone(&store), async |time| clock.advance(time)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_guard_conforms() {
    let guard = Arc::new(MemoryGuard::new());
    for _ in 0..3 {
        assert_guard_conformant(Arc::clone(&guard)).await;
    }
}

#[tokio::test]
async fn a_deliberately_plain_store_conforms() {
    assert_eq!(
        broken_rule(|_, outcome| outcome, |_, settled| settled).await,
        None
    );
}

#[tokio::test]
async fn a_broken_store_is_named() {
    let keep = |_: &mut Change<'_, Settled>, settled| settled;
    let claims: [(&str, Break<ClaimOutcome>); 4] = [
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
            ClaimOutcome::Run(lease) => {
                ClaimOutcome::Run(zego_record_receiver::Lease { epoch: 1, ..lease })
            }
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
    ];
    for (rule, break_claim) in claims {
        let broken = broken_rule(break_claim, keep).await.expect(rule);
        assert!(broken.contains(rule), "{broken}");
    }
    let unfenced = |change: &mut Change<'_, Settled>, settled| {
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
    };
    let broken = broken_rule(|_, outcome| outcome, unfenced).await.unwrap();
    assert!(broken.contains("a stale owner changes nothing"), "{broken}");
}

#[tokio::test]
async fn a_store_that_checks_and_then_acts_is_found_out() {
    let plain = Plain::new(
        ManualClock::new(UnixSeconds::new(0)),
        |_, outcome| outcome,
        |_, settled| settled,
    );
    let clock = plain.clock.clone();
    let suite = assert_store_conformant(Arc::new(ChecksThenActs(plain)), move |time| {
        clock.advance(time);
        std::future::ready(())
    });
    let broken = panic_of(suite).await.unwrap();
    assert!(
        broken.contains("a race of claims has one winner"),
        "{broken}"
    );
}

#[tokio::test]
async fn a_broken_guard_is_named() {
    #[derive(Debug)]
    struct Forgetful(MemoryGuard);
    impl ReplayGuard for Forgetful {
        fn bind<'a>(
            &'a self,
            check: &'a ReplayCheck,
        ) -> BoxFuture<'a, Result<Binding, StoreError>> {
            let content = [check.content[0]; 16];
            Box::pin(async move { Ok(self.0.bind_now(&ReplayCheck { content, ..*check })) })
        }
    }
    let suite = assert_guard_conformant(Arc::new(Forgetful(MemoryGuard::new())));
    assert!(
        panic_of(suite)
            .await
            .unwrap()
            .contains("all 16 bytes of a content count")
    );
}

/// What a plain store is about to write, for a test to break.
struct Change<'a, T> {
    before: Option<DeliveryRecord>,
    after: &'a mut Option<DeliveryRecord>,
    answer: std::marker::PhantomData<T>,
}

impl<T> Change<'_, T> {
    fn undo_as(&mut self, answer: T) -> T {
        *self.after = self.before;
        answer
    }
}

type Break<T> = fn(&mut Change<'_, T>, T) -> T;

/// The simplest store there is: a list under a lock, and the transition functions.
#[derive(Debug)]
struct Plain {
    clock: ManualClock,
    records: Mutex<Vec<(Claim, DeliveryRecord)>>,
    break_claim: Break<ClaimOutcome>,
    break_settle: Break<Settled>,
}

impl Plain {
    fn new(
        clock: ManualClock,
        break_claim: Break<ClaimOutcome>,
        break_settle: Break<Settled>,
    ) -> Self {
        Self {
            clock,
            records: Mutex::default(),
            break_claim,
            break_settle,
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
        let (mut after, answer) = decide(before, changed, now);
        let mut change = Change {
            before,
            after: &mut after,
            answer: std::marker::PhantomData,
        };
        let answer = broken(&mut change, answer);
        match (known, after) {
            (Some(index), Some(after)) => records[index].1 = after,
            (None, Some(after)) => records.push((claim.clone(), after)),
            (_, None) => {}
        }
        answer
    }
}

impl DeliveryStore for Plain {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        let decide = |record, changed, now| DeliveryRecord::claim(record, claim, changed, now);
        let outcome = self.step(claim, decide, self.break_claim);
        Box::pin(async move { Ok(outcome) })
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let decide = |record, _, now| DeliveryRecord::settle(record, claim, settlement, now);
        let settled = self.step(claim, decide, self.break_settle);
        Box::pin(async move { Ok(settled) })
    }

    fn purge(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async { Ok(0) })
    }

    fn default_retention(&self) -> Duration {
        Duration::from_secs(24 * 60 * 60)
    }
}

/// A claim that is a SELECT and then, a moment later, an INSERT or an UPDATE.
#[derive(Debug)]
struct ChecksThenActs(Plain);

impl DeliveryStore for ChecksThenActs {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        Box::pin(async move {
            let seen = self.0.record(claim);
            tokio::task::yield_now().await;
            let decide = |_, changed, now| DeliveryRecord::claim(seen, claim, changed, now);
            Ok(self.0.step(claim, decide, self.0.break_claim))
        })
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        self.0.settle(claim, settlement)
    }

    fn purge(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.0.purge()
    }

    fn default_retention(&self) -> Duration {
        self.0.default_retention()
    }
}

async fn broken_rule(
    break_claim: Break<ClaimOutcome>,
    break_settle: Break<Settled>,
) -> Option<String> {
    let clock = ManualClock::new(UnixSeconds::new(0));
    let store = Plain::new(clock.clone(), break_claim, break_settle);
    let pass = {
        let clock = clock.clone();
        move |time| {
            clock.advance(time);
            std::future::ready(())
        }
    };
    panic_of(assert_store_conformant(Arc::new(store), pass)).await
}

async fn panic_of(suite: impl Future<Output = ()> + Send + 'static) -> Option<String> {
    let panic = tokio::spawn(suite).await.err()?.into_panic();
    Some(panic.downcast_ref::<String>().cloned().unwrap_or_default())
}
