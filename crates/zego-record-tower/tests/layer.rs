//! The layer: what the inner service gets, and what becomes of its response.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceExt, service_fn};
use zego_record_core::{RecordCallback, Verdict};
use zego_record_receiver::{Delivery, Receiver, RejectionBody};
use zego_record_testkit::{SignedRequest, Signing, fixtures};
use zego_record_tower::{RecordLayer, ResponseBody};

type Inner = Response<Full<Bytes>>;
type Answered = Response<ResponseBody<Full<Bytes>>>;

fn receiver() -> Receiver {
    fixtures::receiver().build().unwrap()
}

fn signed(name: &str) -> SignedRequest {
    fixtures::request(name).build()
}

fn post(request: &SignedRequest) -> Request<Full<Bytes>> {
    request.clone().into_http().map(Full::new)
}

fn inner(status: u16) -> Inner {
    let mut response = Response::new(Full::from("from inside"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

async fn body(response: Answered) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn the_inner_service_gets_callback_delivery_and_body() {
    let request = signed("a");
    let expected = Bytes::copy_from_slice(request.body());
    let service =
        RecordLayer::new(receiver()).layer(service_fn(move |request: Request<Full<Bytes>>| {
            let expected = expected.clone();
            async move {
                assert_eq!(
                    request
                        .extensions()
                        .get::<RecordCallback>()
                        .unwrap()
                        .stream_alias(),
                    "a"
                );
                assert_eq!(request.extensions().get::<Delivery>().unwrap().attempt(), 1);
                assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
                assert_eq!(
                    request.into_body().collect().await.unwrap().to_bytes(),
                    expected
                );
                Ok::<_, Infallible>(inner(201))
            }
        }));
    let response = service.oneshot(post(&request)).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.extensions().get()),
        (200, Some(&Verdict::Handled))
    );
    assert_eq!(response.headers()[CONTENT_TYPE], "text/plain");
    assert_eq!(body(response).await, "1");
}

#[tokio::test]
async fn an_inner_failure_is_passed_through_and_tried_again() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let service = RecordLayer::new(receiver()).layer(service_fn(move |_: Request<Full<Bytes>>| {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let mut response = inner([404, 302, 100, 204][run]);
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("7"));
            Ok::<_, Infallible>(response)
        }
    }));
    let request = signed("a");
    for status in [404, 302, 100] {
        let response = service.clone().oneshot(post(&request)).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()[RETRY_AFTER], "7");
        assert_eq!(response.extensions().get(), Some(&Verdict::HandlerFailed));
        assert_eq!(body(response).await, "from inside");
    }
    for verdict in [Verdict::Handled, Verdict::Duplicate] {
        let response = service.clone().oneshot(post(&request)).await.unwrap();
        assert_eq!(response.extensions().get(), Some(&verdict));
        assert_eq!(body(response).await, "1");
    }
    assert_eq!(runs.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn an_inner_error_is_passed_through_and_tried_again() {
    let receiver = receiver();
    let layer = RecordLayer::new(receiver.clone());
    let failing = layer.layer(service_fn(|_: Request<Full<Bytes>>| async {
        Err::<Inner, _>("broken")
    }));
    let working = layer.layer(service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, Infallible>(inner(200))
    }));
    let request = signed("a");
    assert_eq!(failing.oneshot(post(&request)).await.unwrap_err(), "broken");
    assert_eq!(receiver.counters().answered(Verdict::HandlerFailed), 1);
    assert_eq!(working.oneshot(post(&request)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn rejections_can_look_different_but_not_like_success() {
    let receiver = fixtures::receiver()
        .rejection_body(|verdict| RejectionBody::new("text/x-code", format!("no: {verdict}")))
        .build()
        .unwrap();
    let service = RecordLayer::new(receiver).layer(service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, Infallible>(inner(200))
    }));
    let unsigned = fixtures::request("a").signing(Signing::Unsigned).build();
    let response = service.clone().oneshot(post(&unsigned)).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.extensions().get()),
        (401, Some(&Verdict::Unsigned))
    );
    assert_eq!(body(response).await, "no: unsigned");

    let response = service
        .clone()
        .oneshot(Request::get("/").body(Full::<Bytes>::default()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()[ALLOW]),
        (405, &HeaderValue::from_static("POST"))
    );

    let response = service.oneshot(post(&signed("a"))).await.unwrap();
    assert_eq!(body(response).await, "1", "success is not a rejection");
}

#[tokio::test]
async fn a_body_in_many_frames_with_trailers_is_one_body() {
    let service = RecordLayer::new(receiver()).layer(service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, Infallible>(inner(200))
    }));
    let request = signed("a");
    let mut frames: Vec<Result<_, Infallible>> = request
        .body()
        .chunks(7)
        .map(|chunk| Ok(http_body::Frame::data(Bytes::copy_from_slice(chunk))))
        .collect();
    frames.push(Ok(http_body::Frame::trailers(http::HeaderMap::new())));
    let streamed = Request::post("/")
        .body(StreamBody::new(Frames(frames.into())))
        .unwrap();
    assert_eq!(service.oneshot(streamed).await.unwrap().status(), 200);
}

struct Frames<T>(std::collections::VecDeque<T>);

impl<T: Unpin> futures_core::Stream for Frames<T> {
    type Item = T;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.0.pop_front())
    }
}

/// Panics when it is called without having been polled ready, as a service may.
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl Service<Request<Full<Bytes>>> for Strict {
    type Response = Inner;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Inner, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "was not polled ready");
        std::future::ready(Ok(inner(200)))
    }
}

#[tokio::test]
async fn the_service_that_was_polled_ready_is_the_one_that_is_called() {
    let mut service = RecordLayer::new(receiver()).layer(Strict { ready: false });
    for name in ["a", "b"] {
        let ready = ServiceExt::<Request<Full<Bytes>>>::ready(&mut service)
            .await
            .unwrap();
        let response = ready.call(post(&signed(name))).await.unwrap();
        assert_eq!(response.extensions().get(), Some(&Verdict::Handled));
    }
}

#[tokio::test]
async fn a_response_future_that_is_dropped_does_not_stop_the_inner_service() {
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let receiver = receiver();
    let service = RecordLayer::new(receiver.clone()).layer(service_fn({
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        move |_: Request<Full<Bytes>>| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.add_permits(1);
                go_on.acquire().await.unwrap().forget();
                Ok::<_, Infallible>(inner(200))
            }
        }
    }));
    let request = signed("a");
    let waiting = tokio::spawn(service.clone().oneshot(post(&request)));
    begun.acquire().await.unwrap().forget();
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    go_on.add_permits(1);
    while receiver.counters().in_flight > 0 {
        tokio::task::yield_now().await;
    }
    let response = service.oneshot(post(&request)).await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Verdict::Duplicate));
}
