//! `RecordLayer` around a warp service, which is warp's way to a middleware.

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt};
use warp::{Filter, Rejection, Reply};
use zego_record_core::Verdict;
use zego_record_testkit::fixtures::{Runs, TestResponse};
use zego_record_warp::{Ack, Receiver, RecordCallback, RecordLayer, verified};

use crate::support::{receiver, signed};

async fn send<F>(receiver: &Receiver, routes: F, body: String) -> TestResponse
where
    F: Filter<Extract: Reply, Error = Rejection> + Clone + Send + Sync + 'static,
{
    let service = ServiceBuilder::new()
        .layer(RecordLayer::new(receiver.clone()))
        .service(warp::service(routes));
    let request = Request::post("/zego/record")
        .body(Full::<bytes::Bytes>::from(body))
        .unwrap();
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    http::Response::from_parts(parts, body).into()
}

#[tokio::test]
async fn the_filter_takes_what_the_layer_has_verified() {
    let receiver = receiver();
    let runs = Runs::default();
    let handler = {
        let runs = runs.clone();
        move |recording: RecordCallback| {
            assert_eq!(recording.stream_alias(), "lesson-7");
            runs.count();
            async { Ack }
        }
    };
    // The body is given back, for whoever wants it.
    let routes = warp::path!("zego" / "record")
        .and(verified(receiver.clone(), handler))
        .and(warp::body::bytes())
        .map(|response, body: bytes::Bytes| {
            assert!(body.starts_with(b"{"));
            response
        });

    for verdict in [Verdict::Handled, Verdict::Duplicate] {
        let answer = send(&receiver, routes.clone(), signed("lesson-7")).await;
        assert_eq!(answer, TestResponse::expected(verdict));
    }
    let answer = send(&receiver, routes, "{}".to_owned()).await;
    assert_eq!(answer, TestResponse::expected(Verdict::Unsigned));
    assert_eq!(runs.get(), 1);
    // By the layer, not once more by the filter.
    assert_eq!(receiver.counters().verified, 2);
}

#[tokio::test]
async fn any_other_inner_answer_is_passed_through_and_tried_again() {
    let receiver = receiver();
    let runs = Runs::default();
    let routes = {
        let runs = runs.clone();
        warp::ext::get::<RecordCallback>().map(move |_| {
            let status = match runs.count() {
                1 => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::NO_CONTENT,
            };
            warp::reply::with_status("later", status)
        })
    };

    let first = send(&receiver, routes.clone(), signed("lesson-7")).await;
    assert_eq!((first.status, first.body.as_str()), (503, "later"));
    let second = send(&receiver, routes, signed("lesson-7")).await;
    assert_eq!(second, TestResponse::expected(Verdict::Handled));
    assert_eq!(runs.get(), 2);
}
