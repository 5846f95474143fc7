//! `record`, the filter with the whole road.

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zego_record_core::Verdict;
use zego_record_warp::{Delivery, HandlerError, Receiver, RecordCallback, record};

use crate::support::{Answer, Runs, post, receiver, request, signed, signed_event, verifier};

#[tokio::test]
async fn an_accepted_callback_reaches_the_handler() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let seen = seen.clone();
        move |recording: RecordCallback| {
            seen.lock()
                .unwrap()
                .push(recording.stream_alias().to_owned());
            ready(Ok(()))
        }
    };
    let filter = record(receiver(), handler);

    let answer = post(signed("lesson-7")).reply(&filter).await;

    assert_eq!(Answer::from(answer), Answer::of(Verdict::Handled));
    assert_eq!(*seen.lock().unwrap(), ["lesson-7"]);
}

#[tokio::test]
async fn what_is_rejected_does_not_reach_the_handler() {
    let runs = Runs::default();
    let receiver = Receiver::builder(verifier())
        .body_limit(2_000)
        .build()
        .unwrap();
    let filter = record(receiver, counting(&runs));

    let forged = signed("lesson-7").replace(r#""signature":""#, r#""signature":"0"#);
    let invalid = signed("lesson-7").replace("end_time", "other");
    let too_large = "x".repeat(2_001);
    let announced = request("POST").header("content-length", "2001");
    let understated = post(&too_large).header("content-length", "x");
    let rows = [
        (request("GET"), Verdict::MethodNotAllowed),
        (request("HEAD"), Verdict::MethodNotAllowed),
        (request("PUT"), Verdict::MethodNotAllowed),
        (request("OPTIONS"), Verdict::MethodNotAllowed),
        (post(&too_large), Verdict::BodyTooLarge),
        (announced, Verdict::BodyTooLarge),
        (understated, Verdict::BodyTooLarge),
        (post("{"), Verdict::Malformed),
        (post("stream_alias=lesson-7"), Verdict::Unsigned),
        (post(forged), Verdict::BadSignature),
        (post(invalid), Verdict::Invalid),
        (post(signed_event("compose", "lesson-7")), Verdict::Ignored),
    ];
    for (request, verdict) in rows {
        let answer = request.reply(&filter).await;
        assert_eq!(Answer::from(answer), Answer::of(verdict));
    }
    assert_eq!(runs.get(), 0);
}

#[tokio::test]
async fn a_duplicate_does_not_run_the_handler_again() {
    let runs = Runs::default();
    let filter = record(receiver(), counting(&runs));

    let body = signed("lesson-7");
    let first = post(&body).reply(&filter).await;
    let same = post(&body).reply(&filter).await;
    let signed_anew = post(signed("lesson-7")).reply(&filter).await;

    assert_eq!(Answer::from(first), Answer::of(Verdict::Handled));
    assert_eq!(Answer::from(same), Answer::of(Verdict::Duplicate));
    assert_eq!(Answer::from(signed_anew), Answer::of(Verdict::Duplicate));
    assert_eq!(runs.get(), 1);
}

#[tokio::test]
async fn a_failure_a_panic_and_a_time_out_are_tried_again() {
    async fn attempt(delivery: Delivery) -> Result<(), HandlerError> {
        match delivery.attempt() {
            1 => Err(HandlerError::retry("the disk is full")),
            2 => panic!("a bug"),
            3 => std::future::pending().await,
            _ => Ok(()),
        }
    }
    let receiver = Receiver::builder(verifier())
        .handler_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    let filter = record(receiver, attempt);

    for verdict in [
        Verdict::HandlerFailed,
        Verdict::HandlerFailed,
        Verdict::HandlerTimeout,
        Verdict::Handled,
        Verdict::Duplicate,
    ] {
        let answer = post(signed("lesson-7")).reply(&filter).await;
        assert_eq!(Answer::from(answer), Answer::of(verdict));
    }
}

#[tokio::test]
async fn what_is_discarded_does_not_come_again() {
    let runs = Runs::default();
    let handler = {
        let runs = runs.clone();
        move |_: RecordCallback| {
            runs.count();
            ready(Err(HandlerError::discard("another project's")))
        }
    };
    let filter = record(receiver(), handler);

    for verdict in [Verdict::Discarded, Verdict::Duplicate] {
        let answer = post(signed("lesson-7")).reply(&filter).await;
        assert_eq!(Answer::from(answer), Answer::of(verdict));
    }
    assert_eq!(runs.get(), 1);
}

fn counting(
    runs: &Runs,
) -> impl Fn(RecordCallback) -> Ready<Result<(), HandlerError>> + Clone + Send + Sync + use<> {
    let runs = runs.clone();
    move |_| {
        runs.count();
        ready(Ok(()))
    }
}
