//! `verified`, the filter that only verifies.

use http::StatusCode;
use warp::Reply;
use zego_record_core::Verdict;
use zego_record_testkit::fixtures::{Runs, TestResponse};
use zego_record_warp::{Ack, RecordCallback, verified};

use crate::support::{post, receiver, request, signed, signed_event};

#[tokio::test]
async fn it_verifies_and_guards_and_does_not_deduplicate() {
    let runs = Runs::default();
    let handler = {
        let runs = runs.clone();
        move |recording: RecordCallback| {
            assert_eq!(recording.stream_alias(), "lesson-7");
            runs.count();
            async { Ack }
        }
    };
    let filter = verified(receiver(), handler);

    let body = signed("lesson-7");
    let rows = [
        (request("GET"), Verdict::MethodNotAllowed, 0),
        (post("x".repeat(64 * 1024 + 1)), Verdict::BodyTooLarge, 0),
        (post("stream_alias=lesson-7"), Verdict::Unsigned, 0),
        (
            post(signed_event("compose", "lesson-7")),
            Verdict::Ignored,
            0,
        ),
        (post(&body), Verdict::Handled, 1),
        (post(&body), Verdict::Handled, 2),
        (
            post(body.replace("7.mp4", "8.mp4")),
            Verdict::SignatureReused,
            2,
        ),
    ];
    for (request, verdict, ran) in rows {
        let answer = request.reply(&filter).await;
        assert_eq!(TestResponse::from(answer), TestResponse::expected(verdict));
        assert_eq!(runs.get(), ran, "{verdict}");
    }
}

#[tokio::test]
async fn what_the_handler_answers_is_passed_through() {
    async fn later(_: RecordCallback) -> impl Reply {
        warp::reply::with_status("later", StatusCode::SERVICE_UNAVAILABLE)
    }
    let answer = post(signed("lesson-7"))
        .reply(&verified(receiver(), later))
        .await;
    let answer = TestResponse::from(answer);
    assert_eq!((answer.status, answer.body.as_str()), (503, "later"));
    assert_eq!(answer.verdict, None);
}
