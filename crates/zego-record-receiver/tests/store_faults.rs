//! A delivery store that fails: nothing is answered 2xx that is not done, and nothing done is undone.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Runs, builder, receive, receive_counted, request};
use zego_record_core::Verdict;
use zego_record_receiver::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, MemoryStore, Receiver, Settled, Settlement,
    StoreError, StoreErrorKind, StoreFailure,
};

/// What goes wrong with a request to the store.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Fails(StoreErrorKind),
    /// It is carried out, and the answer is lost.
    LosesAnswer,
    Hangs,
    /// It is carried out late.
    Slow(Duration),
}

const UNAVAILABLE: Fault = Fault::Fails(StoreErrorKind::Unavailable);

/// A memory store behind a bad line.
#[derive(Debug, Default)]
struct BadLine {
    store: MemoryStore,
    claims: Mutex<VecDeque<Option<Fault>>>,
    settlements: Mutex<VecDeque<Option<Fault>>>,
    log: Mutex<Vec<String>>,
}

impl BadLine {
    fn new(claims: &[Option<Fault>], settlements: &[Option<Fault>]) -> Arc<Self> {
        Arc::new(Self {
            claims: Mutex::new(claims.iter().copied().collect()),
            settlements: Mutex::new(settlements.iter().copied().collect()),
            ..Self::default()
        })
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The next `n` settlements fail.
    fn cut(&self, n: usize) {
        *self.settlements.lock().unwrap() = vec![Some(UNAVAILABLE); n].into();
    }

    async fn pass<T>(
        &self,
        faults: &Mutex<VecDeque<Option<Fault>>>,
        request: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let fault = faults.lock().unwrap().pop_front().flatten();
        match fault {
            None => request.await,
            Some(Fault::Fails(kind)) => Err(StoreError::new(kind, "the line is cut")),
            Some(Fault::LosesAnswer) => {
                request.await?;
                Err(StoreError::new(
                    StoreErrorKind::Unavailable,
                    "the answer is lost",
                ))
            }
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Slow(delay)) => {
                let answer = request.await;
                tokio::time::sleep(delay).await;
                answer
            }
        }
    }
}

impl DeliveryStore for BadLine {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        self.log.lock().unwrap().push("claim".to_owned());
        Box::pin(self.pass(&self.claims, self.store.claim(claim)))
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        self.log.lock().unwrap().push(format!("{settlement:?}"));
        Box::pin(self.pass(&self.settlements, self.store.settle(claim, settlement)))
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

fn receiver(store: &Arc<BadLine>) -> Receiver {
    builder().store(Arc::clone(store)).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_store_is_tried_three_times_and_then_answered_with_503() {
    let store = BadLine::new(&[Some(UNAVAILABLE); 3], &[]);
    let (receiver, runs) = (receiver(&store), Runs::default());
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::StoreUnavailable
    );
    // What may have been granted all the same is given back.
    assert_eq!(store.log(), ["claim", "claim", "claim", "Failed"]);
    assert_eq!(runs.get(), 0);
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::Handled
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_recovers_at_the_third_try_is_no_failure() {
    let store = BadLine::new(&[Some(UNAVAILABLE), Some(Fault::Hangs)], &[]);
    assert_eq!(
        receive_counted(&receiver(&store), &request("a"), &Runs::default()).await,
        Verdict::Handled
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_unavailable_after_bounded_time() {
    let store = BadLine::new(&[Some(Fault::Hangs); 3], &[]);
    let begin = tokio::time::Instant::now();
    let verdict = receive_counted(&receiver(&store), &request("a"), &Runs::default()).await;
    assert_eq!(verdict, Verdict::StoreUnavailable);
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_or_misconfigured_store_is_not_asked_again() {
    for kind in [StoreErrorKind::Corrupt, StoreErrorKind::Config] {
        let store = BadLine::new(&[Some(Fault::Fails(kind))], &[]);
        let verdict = receive_counted(&receiver(&store), &request("a"), &Runs::default()).await;
        assert_eq!(
            (verdict, store.log().len()),
            (Verdict::StoreUnavailable, 1),
            "{kind:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_answer_was_lost_is_still_ours() {
    let store = BadLine::new(&[Some(Fault::LosesAnswer)], &[]);
    let verdict = receive(&receiver(&store), &request("a"), |delivery| async move {
        assert_eq!(delivery.attempt(), 1);
        Ok(())
    })
    .await;
    assert_eq!(verdict, Verdict::Handled);
}

#[tokio::test(start_paused = true)]
async fn after_a_slow_claim_the_lease_starts_anew() {
    let slow = Fault::Slow(Duration::from_secs(3));
    let store = BadLine::new(&[Some(slow)], &[]);
    let receiver = builder()
        .store(Arc::clone(&store))
        .store_timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    assert_eq!(
        receive_counted(&receiver, &request("a"), &Runs::default()).await,
        Verdict::Handled
    );
    assert_eq!(store.log(), ["claim", "Extend", "Done"]);
}

#[tokio::test(start_paused = true)]
async fn success_that_cannot_be_recorded_is_answered_1_and_recorded_later() {
    let store = BadLine::new(&[], &[Some(UNAVAILABLE); 7]);
    let (receiver, runs) = (receiver(&store), Runs::default());
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::Handled
    );
    assert_eq!(
        receiver.counters().in_flight,
        1,
        "a shutdown would wait for it"
    );
    while receiver.counters().in_flight > 0 {
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::Duplicate
    );
    assert_eq!(runs.get(), 1);
}

/// The lease of the first run is over long before the store is back.
#[tokio::test(start_paused = true)]
async fn what_is_done_is_not_run_again_while_its_success_cannot_be_recorded() {
    let store = BadLine::new(&[None, Some(UNAVAILABLE)], &[Some(UNAVAILABLE); 9]);
    let (receiver, runs) = (receiver(&store), Runs::default());
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::Handled
    );
    // At first the store rejects claims as well, then only that anything is written.
    for passed in [1, 11] {
        tokio::time::advance(Duration::from_secs(passed)).await;
        assert_eq!(
            receive_counted(&receiver, &request("a"), &runs).await,
            Verdict::Duplicate
        );
    }
    assert_eq!(runs.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_for_what_is_done_is_used_to_record_it() {
    let store = BadLine::new(&[], &[]);
    let (first, second, runs) = (receiver(&store), receiver(&store), Runs::default());
    store.cut(100);
    assert_eq!(
        receive_counted(&first, &request("a"), &runs).await,
        Verdict::Handled
    );
    tokio::time::sleep(Duration::from_secs(10)).await;
    store.cut(0);
    for receiver in [&first, &second] {
        assert_eq!(
            receive_counted(receiver, &request("a"), &runs).await,
            Verdict::Duplicate
        );
    }
    assert_eq!(runs.get(), 1);
}

/// The success is written between the store's decision and the answer.
#[tokio::test(start_paused = true)]
async fn a_lease_granted_before_the_success_was_recorded_runs_nothing() {
    let slow = Fault::Slow(Duration::from_millis(400));
    // The settlement and the first six tries in the background fail; the seventh is made after 13.12 s.
    let store = BadLine::new(&[None, Some(slow)], &[Some(UNAVAILABLE); 21]);
    let (receiver, runs) = (receiver(&store), Runs::default());
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::Handled
    );
    tokio::time::sleep(Duration::from_secs(13)).await;
    let before = store.log().len();
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::Duplicate
    );
    assert_eq!(store.log()[before..], ["claim", "Done", "Done"]);
    assert_eq!((runs.get(), receiver.counters().in_flight), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_forever_for_a_store_that_is_gone() {
    let store = BadLine::new(&[], &[Some(UNAVAILABLE); 1_000]);
    let receiver = receiver(&store);
    assert_eq!(
        receive_counted(&receiver, &request("a"), &Runs::default()).await,
        Verdict::Handled
    );
    let begin = tokio::time::Instant::now();
    receiver.shutdown().await;
    assert!(
        begin.elapsed() <= Duration::from_secs(11),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_that_cannot_be_recorded_the_lease_ends_by_itself() {
    let store = BadLine::new(&[], &[Some(UNAVAILABLE); 3]);
    let (receiver, runs) = (receiver(&store), Runs::default());
    let verdict = receive(&receiver, &request("a"), |_| async { Err("no".into()) }).await;
    assert_eq!(verdict, Verdict::HandlerFailed);
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::InProgress
    );
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::Handled
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_store_the_handler_can_run_without_deduplication() {
    let store = BadLine::new(&[Some(UNAVAILABLE); 3], &[]);
    let receiver = builder()
        .store(Arc::clone(&store))
        .on_store_failure(StoreFailure::RunWithoutDeduplication)
        .build()
        .unwrap();
    for deduplicated in [false, true] {
        let verdict = receive(&receiver, &request("a"), move |delivery| async move {
            assert_eq!(delivery.is_deduplicated(), deduplicated);
            Ok(())
        })
        .await;
        assert_eq!(verdict, Verdict::Handled);
    }
}

/// Without a second look at the time, the extended lease would end while the handler runs.
#[tokio::test(start_paused = true)]
async fn behind_a_store_that_is_slow_twice_the_handler_is_not_run() {
    let slow = Some(Fault::Slow(Duration::from_secs(4)));
    let store = BadLine::new(&[slow], &[slow]);
    let receiver = builder()
        .store(Arc::clone(&store))
        .store_timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    let runs = Runs::default();
    let verdict = receive_counted(&receiver, &request("a"), &runs).await;
    assert_eq!((verdict, runs.get()), (Verdict::StoreUnavailable, 0));
    assert_eq!(store.log(), ["claim", "Extend", "Failed"]);
    // It was given back, so that the next attempt need not wait for the lease.
    let verdict = receive_counted(&receiver, &request("a"), &runs).await;
    assert_eq!((verdict, runs.get()), (Verdict::Handled, 1));
}
