//! Settings at the end of their range, and calls in an order that nobody planned.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Also in what the tests share.

mod common;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{SECOND, accept, details, new_inbox, state, worker};
use zego_record_core::RecordCallback;
use zego_record_inbox::{Delivery, EntryState, InboxStore, Next, Note, RunEnded, Worker};
use zego_record_receiver::HandlerError;

type Outcome = Result<(), HandlerError>;

#[tokio::test(start_paused = true)]
async fn a_time_without_an_end_is_a_long_one() {
    let inbox = new_inbox();
    let recording = accept(&inbox, "a").await;
    let worker = worker(&inbox)
        .handler_timeout(Duration::MAX)
        .lease(Duration::MAX)
        .poll_interval(Duration::MAX)
        .store_timeout(Duration::MAX / 4)
        .shutdown_timeout(Duration::MAX)
        .keep_done(Duration::MAX)
        .build(async |_: RecordCallback| -> Outcome { Ok(()) })
        .unwrap();
    let running = {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run().await })
    };
    while worker.counters().done == 0 && !running.is_finished() {
        tokio::time::sleep(SECOND).await;
    }
    worker.shutdown().await;
    running.await.unwrap();
    assert_eq!(state(&inbox, &recording).await, EntryState::Done);
}

#[tokio::test(start_paused = true)]
async fn one_claim_takes_no_more_than_a_store_can_hand_out_in_time() {
    let (inbox, by_claim) = (new_inbox(), Arc::new(Mutex::new(HashMap::new())));
    for index in 0..1_500 {
        accept(&inbox, &index.to_string()).await;
    }
    let counts = Arc::clone(&by_claim);
    let worker = worker(&inbox)
        .concurrency(usize::MAX)
        .build(move |delivery: Delivery| {
            *counts
                .lock()
                .unwrap()
                .entry(delivery.hold().owner)
                .or_insert(0) += 1;
            async { Ok(()) }
        })
        .unwrap();
    let running = {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run().await })
    };
    let start = tokio::time::Instant::now();
    while worker.counters().done < 1_500 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        start.elapsed(),
        Duration::ZERO,
        "without waiting for a poll"
    );
    worker.shutdown().await;
    running.await.unwrap();
    let most = by_claim.lock().unwrap().values().copied().max();
    assert!(most <= Some(256), "{most:?} in one claim");
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_nothing_is_claimed_by_hand_either() {
    let inbox = new_inbox();
    let recording = accept(&inbox, "a").await;
    let worker = worker(&inbox)
        .build(async |_: RecordCallback| -> Outcome { std::future::pending().await })
        .unwrap();
    let running = {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run().await })
    };
    tokio::time::sleep(SECOND).await;
    worker.shutdown().await;
    running.await.unwrap();
    assert_eq!(worker.run_due().await.unwrap(), 0);
    assert_eq!(state(&inbox, &recording).await, EntryState::Waiting);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_for_the_store_makes_no_dead_letter() {
    let inbox = new_inbox();
    let recording = accept(&inbox, "a").await;
    let (letters, reports) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let (store, dead, ended) = (inbox.clone(), Arc::clone(&letters), Arc::clone(&reports));
    let worker: Worker = worker(&inbox)
        .on_dead_letter(move |_| *dead.lock().unwrap() += 1)
        .on_attempt(move |_| *ended.lock().unwrap() += 1)
        .build(move |delivery: Delivery| {
            let store = store.clone();
            async move {
                // Another run has had its success recorded meanwhile.
                let done = RunEnded::new(Next::Done, Note::default());
                store.settle(delivery.hold(), &done).await?;
                Err(HandlerError::dead_letter("it cannot be done"))
            }
        })
        .unwrap();
    worker.run_due().await.unwrap();
    assert_eq!(
        details(&inbox, &recording).await.entry.state,
        EntryState::Done
    );
    assert_eq!((*letters.lock().unwrap(), *reports.lock().unwrap()), (0, 0));
    assert_eq!(
        (worker.counters().dead, worker.counters().leases_lost),
        (0, 1)
    );
}
