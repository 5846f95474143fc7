//! Handlers that are dropped without having been run: they are the user's, and may panic.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Held, Runs, builder, receive, receive_counted, request, until};
use faulty::{Faulty, Part};
use zego_record_core::Verdict;
use zego_record_receiver::{Receiver, StoreError, StoreErrorKind};

/// Counts that it is dropped, and then panics.
struct PanicsWhenDropped(Runs);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        self.0.count();
        assert!(std::thread::panicking(), "in Drop");
    }
}

async fn receive_hostile(receiver: &Receiver, name: &str, drops: &Runs) -> Verdict {
    let hostile = PanicsWhenDropped(drops.clone());
    receive(receiver, &request(name), move |_| async move {
        let _hostile = hostile;
        Ok(())
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_was_never_run_and_panics_when_dropped_changes_no_verdict() {
    let store = Faulty::new();
    let reported = Arc::new(Mutex::new(Vec::new()));
    let receiver = builder()
        .store(Arc::clone(&store))
        .max_in_flight(2)
        .on_delivery({
            let reported = Arc::clone(&reported);
            move |delivered| reported.lock().unwrap().push(delivered.verdict())
        })
        .build()
        .unwrap();
    let (drops, held) = (Runs::default(), Held::new());

    receive_counted(&receiver, &request("done"), &Runs::default()).await;
    let duplicate = receive_hostile(&receiver, "done", &drops).await;
    assert_eq!(duplicate, Verdict::Duplicate);

    store.fail(Part::Claim, true, 1, || {
        StoreError::new(StoreErrorKind::Config, "no such table")
    });
    let unavailable = receive_hostile(&receiver, "a", &drops).await;
    assert_eq!(unavailable, Verdict::StoreUnavailable);

    let mut running = Vec::new();
    for (name, expected) in [("b", Verdict::InProgress), ("c", Verdict::Busy)] {
        let (receiver_of_it, held_by_it) = (receiver.clone(), held.clone());
        let callback = request(name);
        running.push(tokio::spawn(async move {
            receive(&receiver_of_it, &callback, |it| held_by_it.run(it)).await
        }));
        held.has_begun().await;
        let verdict = receive_hostile(&receiver, name, &drops).await;
        assert_eq!(verdict, expected);
    }

    assert_eq!(drops.get(), 4);
    let expected = [
        Verdict::Handled,
        Verdict::Duplicate,
        Verdict::StoreUnavailable,
        Verdict::InProgress,
        Verdict::Busy,
    ];
    assert_eq!(*reported.lock().unwrap(), expected);
    for running in running {
        held.go_on();
        assert_eq!(running.await.unwrap(), Verdict::Handled);
    }
    assert_eq!(receiver.counters().in_flight, 0);
}

/// It is dropped before its first poll, and its future with it.
#[tokio::test(start_paused = true)]
async fn a_handler_that_a_shutdown_keeps_from_starting_leaves_no_lease_behind() {
    let store = Faulty::new();
    let build = || builder().store(Arc::clone(&store));
    let timeout = Duration::from_millis(100);
    let receiver = build().handler_timeout(timeout).build().unwrap();
    let drops = Runs::default();
    // The claim is answered when the shutdown has waited long enough.
    store.delay(Part::Claim, 4 * timeout);
    let claiming = tokio::spawn({
        let (receiver, drops) = (receiver.clone(), drops.clone());
        async move { receive_hostile(&receiver, "a", &drops).await }
    });
    until(|| store.calls(Part::Claim) > 0).await;
    receiver.shutdown().await;
    assert_eq!(claiming.await.unwrap(), Verdict::HandlerFailed);
    assert_eq!((drops.get(), receiver.counters().in_flight), (1, 0));
    let other = build().build().unwrap();
    let verdict = receive_counted(&other, &request("a"), &Runs::default()).await;
    assert_eq!(verdict, Verdict::Handled);
}
