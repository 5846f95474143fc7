//! The end of a process with a hundred handlers in flight, as on SIGTERM.
//!
//! What a signal leads to is `Receiver::shutdown` and then the end of the server; that a signal leads
//! to it is tested with the examples, as processes. Here, handlers can be held.

use std::sync::Arc;
use std::time::Duration;

use zego_record_core::{Verdict, Verified};
use zego_record_receiver::{Delivery, Outcome};
use zego_record_testkit::SignedRequest;
use zego_record_tests::{Mount, every_receiver, receiver, request, send};

use crate::{Open, on_mount, until};

const IN_FLIGHT: usize = 100;

every_receiver!(on_mount:
    a_hundred_in_flight_are_all_settled_before_the_end,
    what_does_not_end_in_time_is_free_for_another_process,
);

async fn a_hundred_in_flight_are_all_settled_before_the_end(mount: &'static Mount) {
    let open = Open::start(mount);
    let (requests, answers) = hold(&open, IN_FLIGHT).await;
    let shutdown = tokio::spawn({
        let receiver = open.running.receiver.clone();
        async move { receiver.shutdown().await }
    });
    while open.post(&request("late").build()).await != 503 {
        tokio::task::yield_now().await;
    }
    assert!(!shutdown.is_finished(), "{mount:?} waits for what runs");
    for _ in 0..IN_FLIGHT {
        open.running.script.go_on();
    }
    shutdown.await.unwrap();
    let settled = settled_as(&open, &requests).await;
    assert_eq!(settled, [Verdict::Duplicate; IN_FLIGHT], "all are done");
    for answer in answers {
        assert_eq!(answer.await.unwrap(), 200);
    }
}

async fn what_does_not_end_in_time_is_free_for_another_process(mount: &'static Mount) {
    let timeout = Duration::from_secs(2);
    let open = Open::with(mount, |builder| builder.handler_timeout(timeout));
    let (requests, answers) = hold(&open, IN_FLIGHT).await;
    for _ in 0..IN_FLIGHT / 2 {
        open.running.script.go_on();
    }
    until("half of them are done", || {
        open.answered(Verdict::Handled) == IN_FLIGHT as u64 / 2
    })
    .await;
    open.running.receiver.shutdown().await;
    let settled = settled_as(&open, &requests).await;
    let count = |verdict| settled.iter().filter(|other| **other == verdict).count();
    assert_eq!(
        (count(Verdict::Duplicate), count(Verdict::Handled)),
        (IN_FLIGHT / 2, IN_FLIGHT / 2),
        "half are done, and half are run by another process at once"
    );
    let mut statuses = Vec::new();
    for answer in answers {
        statuses.push(answer.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[..IN_FLIGHT / 2], [200; IN_FLIGHT / 2]);
    assert_eq!(statuses[IN_FLIGHT / 2..], [503; IN_FLIGHT / 2]);
}

type Answers = Vec<tokio::task::JoinHandle<u16>>;

/// Requests whose handlers have all begun, and wait.
async fn hold(open: &Open, number: usize) -> (Vec<SignedRequest>, Answers) {
    let requests: Vec<_> = (0..number)
        .map(|number| request(&format!("waits-{number}")).build())
        .collect();
    let address = open.running.address;
    let answers = requests
        .iter()
        .map(|request| {
            let request = request.clone().into_http();
            tokio::spawn(async move { send(address, request).await.status().as_u16() })
        })
        .collect();
    for _ in 0..number {
        open.running.script.has_begun().await;
    }
    (requests, answers)
}

/// The verdicts of another process with the same store.
async fn settled_as(open: &Open, requests: &[SignedRequest]) -> Vec<Verdict> {
    let store = Arc::clone(&open.store);
    let another = receiver().store(store).build().unwrap();
    let handler = |_: Delivery| async { Outcome::new(Ok(()), ()) };
    let mut verdicts = Vec::new();
    for request in requests {
        let Ok(Verified::Record(callback)) = another.pipeline().verify(request.body()).await else {
            panic!("signed and fresh");
        };
        verdicts.push(another.pipeline().deliver(callback, handler).await.0);
    }
    verdicts
}
