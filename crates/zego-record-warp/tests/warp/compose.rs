//! The filters among others: what they answer, no other route gets to see.

use std::convert::Infallible;
use std::future::ready;

use http::StatusCode;
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};
use zego_record_core::Verdict;
use zego_record_testkit::fixtures::TestResponse;
use zego_record_warp::{Ack, HandlerError, RecordCallback, record, verified};

use crate::support::{post, receiver, request, signed};

async fn on_record(_: RecordCallback) -> Result<(), HandlerError> {
    Ok(())
}

fn both() -> [BoxedFilter<(Response,)>; 2] {
    let record = record(receiver(), on_record);
    let verified = verified(receiver(), |_| ready(Ack));
    [record.boxed(), verified.boxed()]
}

fn rejected() -> [(warp::test::RequestBuilder, Verdict); 5] {
    let forged = signed("lesson-7").replace(r#""signature":""#, r#""signature":"0"#);
    [
        (request("GET"), Verdict::MethodNotAllowed),
        (post("x".repeat(64 * 1024 + 1)), Verdict::BodyTooLarge),
        (post("{"), Verdict::Malformed),
        (post("{}"), Verdict::Unsigned),
        (post(forged), Verdict::BadSignature),
    ]
}

#[tokio::test]
async fn a_rejected_callback_does_not_reach_the_next_route() {
    for filter in both() {
        let routes = warp::path!("zego" / "record")
            .and(filter)
            .or(warp::any().map(|| "from the next route"));
        for (request, verdict) in rejected() {
            let answer = request.reply(&routes).await;
            assert_eq!(TestResponse::from(answer), TestResponse::expected(verdict));
        }
        let elsewhere = request("GET").path("/health").reply(&routes).await;
        assert_eq!(elsewhere.body(), "from the next route");
        let below = post(signed("lesson-7"))
            .path("/zego/record/more")
            .reply(&routes)
            .await;
        assert_eq!(below.body(), "from the next route");
    }
}

#[tokio::test]
async fn recover_does_not_see_a_rejected_callback() {
    async fn recover(_: Rejection) -> Result<impl Reply, Infallible> {
        Ok(warp::reply::with_status(
            "recovered",
            StatusCode::IM_A_TEAPOT,
        ))
    }
    for filter in both() {
        let routes = warp::path!("zego" / "record")
            .and(filter)
            .recover(recover)
            .with(warp::log("http"))
            .with(warp::reply::with::header("x-outer", "1"))
            .boxed();
        for (request, verdict) in rejected() {
            let answer = request.reply(&routes).await;
            assert_eq!(answer.headers()["x-outer"], "1");
            assert_eq!(answer.status(), verdict.status());
            assert_eq!(answer.body(), verdict.body());
        }
        let elsewhere = request("GET").path("/health").reply(&routes).await;
        assert_eq!(elsewhere.body(), "recovered");
    }
}

#[tokio::test]
async fn it_is_tried_after_routes_that_reject_the_request() {
    for filter in both() {
        let routes = warp::path!("zego" / "record")
            .and(warp::get())
            .map(|| "a page")
            .or(warp::path!("zego" / u32).map(|_| "a number"))
            .or(warp::path!("zego" / "record").and(filter));
        let answer = post(signed("lesson-7")).reply(&routes).await;
        assert_eq!(
            TestResponse::from(answer),
            TestResponse::expected(Verdict::Handled)
        );
        assert_eq!(request("GET").reply(&routes).await.body(), "a page");
    }
}

#[tokio::test]
async fn a_body_that_another_filter_has_taken_is_rejected() {
    for filter in both() {
        let greedy = warp::body::bytes()
            .and_then(|_| async { Err::<&str, _>(warp::reject()) })
            .or(filter)
            .or(warp::any().map(|| "from the next route"));
        let answer = post(signed("lesson-7")).reply(&greedy).await;
        assert_eq!(
            TestResponse::from(answer),
            TestResponse::expected(Verdict::Unsigned)
        );
    }
}
