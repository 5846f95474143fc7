//! Callbacks that failed and did not come again, across runtimes that end, and beyond the bound.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Runs, builder, receive, receive_counted, request};
use faulty::{Faulty, Part};
use zego_record_core::Verdict;
use zego_record_receiver::Receiver;

const MAX_WATCHED: u64 = 1_024;

async fn fail(receiver: &Receiver, name: &str) {
    let verdict = receive(receiver, &request(name), |_| async { Err("no".into()) }).await;
    assert_eq!(verdict, Verdict::HandlerFailed);
}

#[test]
fn failures_in_a_runtime_that_has_ended_do_not_silence_later_ones() {
    let abandoned = Arc::new(Mutex::new(Vec::new()));
    let store = Faulty::new();
    let receiver = builder()
        .store(Arc::clone(&store))
        .on_abandoned({
            let abandoned = Arc::clone(&abandoned);
            move |it| {
                let stream = it.callback().stream_alias().to_owned();
                abandoned.lock().unwrap().push(stream);
            }
        })
        .build()
        .unwrap();
    runtime().block_on(async {
        for number in 0..MAX_WATCHED + 6 {
            fail(&receiver, &format!("first-{number}")).await;
        }
    });
    assert_eq!(receiver.counters().retries_unwatched, 6);
    assert!(abandoned.lock().unwrap().is_empty());
    let purged = store.calls(Part::Purge);

    runtime().block_on(async {
        // It starts what the other runtime has taken with it.
        receive_counted(&receiver, &request("done"), &Runs::default()).await;
        tokio::time::sleep(Duration::from_secs(70)).await;
        let first = std::mem::take(&mut *abandoned.lock().unwrap());
        assert_eq!(first.len() as u64, MAX_WATCHED);
        assert!(store.calls(Part::Purge) > purged + 1);

        fail(&receiver, "later").await;
        tokio::time::sleep(Duration::from_secs(70)).await;
        assert_eq!(*abandoned.lock().unwrap(), ["later"]);
    });
    let counters = receiver.counters();
    assert_eq!(counters.abandoned, MAX_WATCHED + 1);
    assert_eq!(counters.retries_unwatched, 6);
}

/// A failure that is watched is not counted as unwatched when it fails again.
#[test]
fn a_callback_that_is_watched_takes_one_place_however_often_it_fails() {
    let receiver = builder().build().unwrap();
    runtime().block_on(async {
        for number in 1..MAX_WATCHED {
            fail(&receiver, &format!("other-{number}")).await;
        }
        // Often enough for deadlines that are no longer current to be cleared away.
        let again = request("a");
        for _ in 0..2 * MAX_WATCHED + 2 {
            receive(&receiver, &again, |_| async { Err("no".into()) }).await;
        }
        // All places are taken, one of them by this.
        fail(&receiver, "a").await;
        assert_eq!(receiver.counters().retries_unwatched, 0);
        tokio::time::sleep(Duration::from_secs(70)).await;
        assert_eq!(receiver.counters().abandoned, MAX_WATCHED);
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}
