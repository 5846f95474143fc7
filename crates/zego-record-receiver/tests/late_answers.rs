//! A delivery store that answers late, loses its answers, or is out of reach when a process ends: what is
//! done stays done, and what was not run is free again.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use common::{Held, Runs, builder, now, receive, receive_counted, request, until};
use zego_record_core::Verdict;
use zego_record_receiver::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, MemoryStore, Receiver, ReceiverBuilder, Settled,
    Settlement, StoreError, StoreErrorKind, StoreFailure,
};
use zego_record_testkit::ManualClock;

/// How long a request takes to the store, and how long its answer takes back.
type Way = (Duration, Duration);

/// A memory store at the end of a long line, for the next requests, which may also be cut.
#[derive(Debug, Default)]
struct LongLine {
    store: MemoryStore,
    is_cut: AtomicBool,
    claims: Mutex<VecDeque<Way>>,
    settlements: Mutex<VecDeque<Way>>,
    log: Mutex<Vec<String>>,
    /// The clock that the next request moves on, and by how much.
    moves: Mutex<Option<(ManualClock, Duration)>>,
}

impl LongLine {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn delay_claims(&self, ways: &[Way]) {
        self.claims.lock().unwrap().extend(ways);
    }

    fn delay_settlements(&self, ways: &[Way]) {
        self.settlements.lock().unwrap().extend(ways);
    }

    fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }

    /// What has arrived at the store.
    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    async fn pass<T>(
        &self,
        name: String,
        ways: &Mutex<VecDeque<Way>>,
        request: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.is_cut.load(Ordering::SeqCst) {
            let kind = StoreErrorKind::Unavailable;
            return Err(StoreError::new(kind, "the line is cut"));
        }
        let (there, back) = ways.lock().unwrap().pop_front().unwrap_or_default();
        tokio::time::sleep(there).await;
        self.log.lock().unwrap().push(name);
        if let Some((clock, by)) = self.moves.lock().unwrap().take() {
            clock.advance(by);
        }
        let answer = request.await;
        tokio::time::sleep(back).await;
        answer
    }
}

impl DeliveryStore for LongLine {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        let request = self.store.claim(claim);
        Box::pin(self.pass("claim".to_owned(), &self.claims, request))
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let request = self.store.settle(claim, settlement);
        Box::pin(self.pass(format!("{settlement:?}"), &self.settlements, request))
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.store.purge(limit)
    }

    fn default_retention(&self) -> Duration {
        self.store.default_retention()
    }

    fn evictions(&self) -> u64 {
        self.store.evictions()
    }
}

fn on(store: &Arc<LongLine>) -> ReceiverBuilder {
    builder().store(Arc::clone(store))
}

/// A receiver whose leases last for little more than 2 seconds, and whose patience with the store is
/// longer than that.
fn hasty(store: &Arc<LongLine>) -> Receiver {
    on(store)
        .handler_timeout(Duration::from_millis(1))
        .store_timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

const fn there(millis: u64) -> Way {
    (Duration::from_millis(millis), Duration::ZERO)
}

const fn back(millis: u64) -> Way {
    (Duration::ZERO, Duration::from_millis(millis))
}

fn spawn_counted(receiver: &Receiver, runs: &Runs) -> tokio::task::JoinHandle<Verdict> {
    let (receiver, runs) = (receiver.clone(), runs.clone());
    tokio::spawn(async move { receive_counted(&receiver, &request("a"), &runs).await })
}

async fn is_idle(receiver: &Receiver) {
    until(|| receiver.counters().in_flight == 0).await;
}

/// While the success is on its way to the store, the lease ends, and a retry is granted another one. That
/// answer arrives just after the success is recorded.
#[tokio::test(start_paused = true)]
async fn a_lease_that_arrives_after_a_slow_settlement_runs_nothing() {
    let store = LongLine::new();
    let (receiver, runs) = (hasty(&store), Runs::default());
    store.delay_claims(&[Way::default(), back(900)]);
    store.delay_settlements(&[there(3_000)]);
    let first = spawn_counted(&receiver, &runs);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let retry = spawn_counted(&receiver, &runs);
    assert_eq!(retry.await.unwrap(), Verdict::Duplicate);
    assert_eq!(first.await.unwrap(), Verdict::Handled);
    // The second lease was granted, and used to record what was done.
    assert_eq!(store.log(), ["claim", "claim", "Done", "Done"]);
    assert_eq!(runs.get(), 1);
}

/// A claim that has taken a second, on the receiver's clock.
#[tokio::test]
async fn a_lease_starts_anew_when_its_claim_has_taken_longer_than_a_second() {
    let second = Duration::from_secs(1);
    for (took, expected) in [
        (second, &["claim", "Done"][..]),
        (
            second + Duration::from_nanos(1),
            &["claim", "Extend", "Done"],
        ),
    ] {
        let clock = ManualClock::new(now());
        let store = LongLine::new();
        *store.moves.lock().unwrap() = Some((clock.clone(), took));
        let receiver = on(&store).clock(clock).build().unwrap();
        let verdict = receive_counted(&receiver, &request("a"), &Runs::default()).await;
        assert_eq!(verdict, Verdict::Handled);
        assert_eq!(store.log(), expected, "{took:?}");
    }
}

/// What is kept against late answers is not kept for ever.
#[tokio::test(start_paused = true)]
async fn what_was_done_by_a_slow_settlement_runs_again_when_its_retention_is_over() {
    let retention = Duration::from_secs(3_600);
    let store = LongLine::new();
    let receiver = on(&store).retention(retention).build().unwrap();
    let runs = Runs::default();
    let slow = [there(400), there(400)];
    store.delay_settlements(&slow);
    for expected in [Verdict::Handled, Verdict::Duplicate] {
        let verdict = receive_counted(&receiver, &request("a"), &runs).await;
        assert_eq!(verdict, expected);
    }
    tokio::time::sleep(retention + Duration::from_secs(1)).await;
    let verdict = receive_counted(&receiver, &request("a"), &runs).await;
    assert_eq!((verdict, runs.get()), (Verdict::Handled, 2));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_between_success_and_settlement_waits_until_it_is_recorded() {
    let store = LongLine::new();
    let receiver = on(&store).build().unwrap();
    let (held, runs) = (Held::new(), Runs::default());
    store.delay_settlements(&[there(400)]);
    let running = tokio::spawn({
        let (receiver, held) = (receiver.clone(), held.clone());
        async move { receive(&receiver, &request("a"), |delivery| held.run(delivery)).await }
    });
    held.has_begun().await;
    held.go_on();
    // The handler has ended, and its success is on the way.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(store.log(), ["claim"]);
    let begin = Instant::now();
    receiver.shutdown().await;
    assert_eq!(store.log(), ["claim", "Done"]);
    // It does not wait for longer than that takes.
    assert!(begin.elapsed() < Duration::from_secs(1));
    assert_eq!(running.await.unwrap(), Verdict::Handled);
    let other = on(&store).build().unwrap();
    let verdict = receive_counted(&other, &request("a"), &runs).await;
    assert_eq!((verdict, runs.get()), (Verdict::Duplicate, 0));
}

/// Twice a settlement has no answer, and the third time it has one at the last moment.
#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_all_tries_to_give_a_delivery_back() {
    let store = LongLine::new();
    let receiver = on(&store).build().unwrap();
    let (held, runs) = (Held::new(), Runs::default());
    store.delay_settlements(&[there(600), there(600), there(495)]);
    let running = tokio::spawn({
        let (receiver, held) = (receiver.clone(), held.clone());
        async move { receive(&receiver, &request("a"), |delivery| held.run(delivery)).await }
    });
    held.has_begun().await;
    receiver.shutdown().await;
    assert_eq!(store.log(), ["claim", "Failed"]);
    assert_eq!(running.await.unwrap(), Verdict::HandlerTimeout);
    let other = on(&store).build().unwrap();
    let verdict = receive_counted(&other, &request("a"), &runs).await;
    assert_eq!((verdict, runs.get()), (Verdict::Handled, 1));
}

#[tokio::test(start_paused = true)]
async fn each_pause_between_tries_is_longer_than_the_one_before() {
    let store = LongLine::new();
    let receiver = on(&store).build().unwrap();
    store.cut(true);
    let begin = Instant::now();
    let verdict = receive_counted(&receiver, &request("a"), &Runs::default()).await;
    assert_eq!(verdict, Verdict::StoreUnavailable);
    // 20 and 40 ms, on the clock of the test.
    let elapsed = begin.elapsed().as_millis();
    assert!((60..=65).contains(&elapsed), "{elapsed} ms");
}

/// The pauses between the tries in the background have grown to 6.4 s by then.
#[tokio::test(start_paused = true)]
async fn a_shutdown_that_has_waited_long_enough_tries_to_record_a_success_once_more() {
    let store = LongLine::new();
    let timeout = Duration::from_secs(1);
    let receiver = on(&store).handler_timeout(timeout).build().unwrap();
    let runs = Runs::default();
    let verdict = receive(&receiver, &request("a"), {
        let store = Arc::clone(&store);
        move |_| async move {
            store.cut(true);
            Ok(())
        }
    })
    .await;
    assert_eq!(verdict, Verdict::Handled);
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(store.log(), ["claim"]);
    store.cut(false);
    receiver.shutdown().await;
    assert_eq!(store.log(), ["claim", "Done"]);
    assert_eq!(receiver.counters().in_flight, 0);
    let other = on(&store).build().unwrap();
    let verdict = receive_counted(&other, &request("a"), &runs).await;
    assert_eq!((verdict, runs.get()), (Verdict::Duplicate, 0));
}

/// The tries in the background end with their runtime; what they are about does not.
#[test]
fn a_success_that_a_runtime_has_not_recorded_is_a_duplicate_in_the_next_one() {
    let clock = ManualClock::new(now());
    let store = Arc::new(LongLine {
        store: MemoryStore::new().with_clock(clock.clone()),
        ..LongLine::default()
    });
    let build = || on(&store).clock(clock.clone()).build().unwrap();
    let (receiver, runs) = (build(), Runs::default());
    runtime().block_on(async {
        let (store, runs) = (Arc::clone(&store), runs.clone());
        let callback = request("a");
        let verdict = receive(&receiver, &callback, move |_| async move {
            store.cut(true);
            runs.count();
            Ok(())
        });
        assert_eq!(verdict.await, Verdict::Handled);
    });
    // Nothing of the first runtime is left, nor its lease.
    clock.advance(Duration::from_secs(11));
    runtime().block_on(async {
        for is_cut in [true, false] {
            store.cut(is_cut);
            let verdict = receive_counted(&receiver, &request("a"), &runs).await;
            assert_eq!(verdict, Verdict::Duplicate);
        }
        // That has recorded it, for other processes as well.
        let verdict = receive_counted(&build(), &request("a"), &runs).await;
        assert_eq!((verdict, runs.get()), (Verdict::Duplicate, 1));
    });
    assert_eq!(store.log(), ["claim", "claim", "Done", "claim"]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_granted_and_never_answered_does_not_keep_the_next_retry_away() {
    let store = LongLine::new();
    let (receiver, runs) = (on(&store).build().unwrap(), Runs::default());
    store.delay_claims(&[back(600), back(600), back(600)]);
    let verdict = receive_counted(&receiver, &request("a"), &runs).await;
    assert_eq!((verdict, runs.get()), (Verdict::StoreUnavailable, 0));
    is_idle(&receiver).await;
    assert_eq!(store.log(), ["claim", "claim", "claim", "Failed"]);
    // In another process, and long before the lease would have ended.
    let other = on(&store).build().unwrap();
    let verdict = receive_counted(&other, &request("a"), &runs).await;
    assert_eq!((verdict, runs.get()), (Verdict::Handled, 1));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_given_back_late_takes_nobody_elses_lease() {
    let store = LongLine::new();
    let hasty = hasty(&store);
    let (other, third) = (on(&store).build().unwrap(), on(&store).build().unwrap());
    let (held, runs) = (Held::new(), Runs::default());
    // Granted at 0, 5.02 and 10.06 s, each for 2 s; given up at 15.06 s.
    store.delay_claims(&[back(6_000), back(6_000), back(6_000)]);
    let given_up = spawn_counted(&hasty, &runs);
    tokio::time::sleep(Duration::from_secs(14)).await;
    let running = tokio::spawn({
        let held = held.clone();
        async move { receive(&other, &request("a"), |delivery| held.run(delivery)).await }
    });
    held.has_begun().await;
    assert_eq!(given_up.await.unwrap(), Verdict::StoreUnavailable);
    is_idle(&hasty).await;
    assert_eq!(store.log().last().map(String::as_str), Some("Failed"));
    let verdict = receive_counted(&third, &request("a"), &runs).await;
    assert_eq!((verdict, runs.get()), (Verdict::InProgress, 0));
    held.go_on();
    assert_eq!(running.await.unwrap(), Verdict::Handled);
}

/// Its lease is all that keeps other processes from running beside it.
#[tokio::test(start_paused = true)]
async fn a_claim_is_not_given_back_while_the_handler_runs_without_deduplication() {
    let store = LongLine::new();
    let receiver = on(&store)
        .on_store_failure(StoreFailure::RunWithoutDeduplication)
        .build()
        .unwrap();
    store.delay_claims(&[back(600), back(600), back(600)]);
    let verdict = receive_counted(&receiver, &request("a"), &Runs::default()).await;
    assert_eq!(verdict, Verdict::Handled);
    is_idle(&receiver).await;
    assert_eq!(store.log(), ["claim", "claim", "claim"]);
    assert_eq!(receiver.counters().runs_without_deduplication, 1);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}
