//! A store that answers later than its worker waits.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::mpsc;
use std::time::Duration;

use common::{Directory, claim_one, key_of, new_callback};
use zego_record_core::RecordCallback;
use zego_record_inbox::{AttemptOutcome, Delivery, EntryState, InboxStore, Schedule, Worker};
use zego_record_receiver::{Accept, HandlerError, StoreError};

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_comes_too_late_spends_no_attempt() {
    let directory = Directory::new();
    let store = directory.open();
    store.accept(&new_callback(1)).await.unwrap();
    let first = claim_one(&store).await;
    store.accept(&new_callback(2)).await.unwrap();

    // Every write waits for this transaction.
    let (started, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let delivery = Delivery::new(first.callback.restore().unwrap()).with_hold(first.hold);
    let busy = store.clone();
    let transaction = tokio::spawn(async move {
        busy.commit_with(&delivery, move |_| {
            started.send(()).unwrap();
            let _ = ended.recv();
            Ok::<_, StoreError>(())
        })
        .await
    });
    tokio::task::spawn_blocking(move || begun.recv().unwrap())
        .await
        .unwrap();

    let worker = Worker::builder(store.clone())
        .schedule(Schedule::new([]).unwrap())
        .store_timeout(Duration::from_millis(300))
        .lease(Duration::from_secs(2))
        .poll_interval(Duration::from_millis(20))
        .build(async |_: RecordCallback| -> Result<(), HandlerError> { Ok(()) })
        .unwrap();
    let running = {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run().await })
    };
    while worker.counters().store_failures < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    end.send(()).unwrap();
    transaction.await.unwrap().unwrap();
    let details = loop {
        let details = store.get(&key_of(2)).await.unwrap().unwrap();
        if matches!(details.entry.state, EntryState::Done | EntryState::Dead) {
            break details;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    worker.shutdown().await;
    running.await.unwrap();
    assert_eq!(details.entry.state, EntryState::Done, "{details:?}");
    let outcomes: Vec<_> = details.attempts.iter().map(|run| run.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Released, AttemptOutcome::Done]);
}
