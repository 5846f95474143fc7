//! `record`, the filter with delivery guarantees.

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};

use zego_record_core::Verdict;
use zego_record_testkit::fixtures::{self, Runs, TestResponse};
use zego_record_warp::{HandlerError, RecordCallback, record};

use crate::support::{post, receiver, request, signed, signed_event};

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

    assert_eq!(
        TestResponse::from(answer),
        TestResponse::expected(Verdict::Handled)
    );
    assert_eq!(*seen.lock().unwrap(), ["lesson-7"]);
}

#[tokio::test]
async fn what_is_rejected_does_not_reach_the_handler() {
    let runs = Runs::default();
    let receiver = fixtures::receiver().body_limit(2_000).build().unwrap();
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
        assert_eq!(TestResponse::from(answer), TestResponse::expected(verdict));
    }
    assert_eq!(runs.get(), 0);
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
