//! The route, the extractor, and the extractor beneath the layer.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{Method, Request, Response, StatusCode};
use axum::routing::post;
use axum::{Extension, Router};
use http_body_util::BodyExt;
use tower::ServiceExt;
use zego_record_axum::{
    Ack, Delivery, HandlerError, Receiver, Record, RecordCallback, RecordLayer, RecordRejection,
    record,
};
use zego_record_core::Verdict;
use zego_record_testkit::{SignedRequest, fixtures};

fn receiver() -> Receiver {
    fixtures::receiver().build().unwrap()
}

async fn send(app: &Router, request: &SignedRequest) -> (u16, String) {
    answer(
        app.clone()
            .oneshot(request.clone().into_http().map(Body::from))
            .await
            .unwrap(),
    )
    .await
}

async fn answer(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn ok(body: &str) -> (u16, String) {
    (200, body.to_owned())
}

#[tokio::test]
async fn the_route_takes_a_function_of_a_callback_or_of_a_delivery() {
    async fn plain(recording: RecordCallback) -> Result<(), HandlerError> {
        assert_eq!(recording.stream_alias(), "a");
        Ok(())
    }
    async fn with_delivery(delivery: Delivery) -> Result<(), HandlerError> {
        if delivery.attempt() == 1 {
            let _: u64 = delivery.callback().stream_alias().parse()?;
        }
        Ok(())
    }
    let app: Router = Router::new()
        .route("/plain", record(receiver(), plain))
        .route("/delivery", record(receiver(), with_delivery));
    let at = |path: &str| {
        fixtures::request("a")
            .path(path)
            .build()
            .into_http()
            .map(Body::from)
    };
    assert_eq!(
        answer(app.clone().oneshot(at("/plain")).await.unwrap()).await,
        ok("1")
    );
    let failed = answer(app.clone().oneshot(at("/delivery")).await.unwrap()).await;
    assert_eq!(
        failed,
        (500, "handler_failed".to_owned()),
        "an error of any type by `?`"
    );
    assert_eq!(
        answer(app.clone().oneshot(at("/delivery")).await.unwrap()).await,
        ok("1")
    );
}

#[tokio::test]
async fn the_route_answers_other_methods_itself() {
    async fn never(_: RecordCallback) -> Result<(), HandlerError> {
        panic!("ran")
    }
    let app: Router = Router::new().route("/", record(receiver(), never));
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let request = Request::builder()
            .method(method)
            .uri("/")
            .body(Body::empty())
            .unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["allow"], "POST", "{method}");
        let (status, body) = answer(response).await;
        assert_eq!(status, 405, "{method}");
        assert!(
            body == "method_not_allowed" || method == "HEAD",
            "{method}: {body}"
        );
    }
}

#[derive(Clone)]
struct App {
    receiver: Receiver,
    runs: Arc<AtomicUsize>,
}

impl FromRef<App> for Receiver {
    fn from_ref(app: &App) -> Self {
        app.receiver.clone()
    }
}

#[tokio::test]
async fn the_extractor_uses_the_receiver_in_the_state_and_rejects_by_itself() {
    let app = Router::new().route(
        "/",
        post(|Record(recording): Record| async move {
            assert_eq!(recording.stream_alias(), "a");
            Ack
        }),
    );
    let app = app.with_state(App {
        receiver: receiver(),
        runs: Arc::default(),
    });
    let request = fixtures::request("a").build();
    assert_eq!(send(&app, &request).await, ok("1"));
    assert_eq!(
        send(&app, &request).await,
        ok("1"),
        "alone, it does not deduplicate"
    );
    let tampered = request.tampered(|builder| builder.field("stream_alias", "b"));
    assert_eq!(
        send(&app, &tampered).await,
        (422, "signature_reused".to_owned())
    );
    assert_eq!(
        send(&app, &fixtures::request("a").age(400).build()).await,
        (401, "stale".to_owned())
    );
    assert_eq!(
        send(
            &app,
            &fixtures::request("a").field("event", "compose").build()
        )
        .await,
        ok("1")
    );
}

#[tokio::test]
async fn a_handler_can_look_at_the_rejection() {
    let app = Router::new().route(
        "/",
        post(|record: Result<Record, RecordRejection>| async move {
            record
                .err()
                .map(|rejection| format!("{} {rejection}", rejection.status()))
                .unwrap_or_default()
        }),
    );
    let app = app.with_state(receiver());
    let (_, body) = send(&app, &fixtures::request("a").age(400).build()).await;
    assert_eq!(body, "401 Unauthorized no recording for the handler: stale");
}

#[tokio::test]
async fn beneath_the_layer_the_extractor_reads_nothing_twice() {
    let receiver = receiver();
    let app = App {
        receiver: receiver.clone(),
        runs: Arc::default(),
    };
    let runs = Arc::clone(&app.runs);
    let app = Router::new()
        .route(
            "/",
            post({
                let runs = Arc::clone(&runs);
                |Extension(callback): Extension<RecordCallback>, Record(recording): Record| async move {
                    assert_eq!(callback.signature(), recording.signature());
                    runs.fetch_add(1, Ordering::SeqCst);
                }
            }),
        )
        .layer(RecordLayer::new(receiver.clone()))
        .with_state(app);
    let request = fixtures::request("a").build();
    assert_eq!(send(&app, &request).await, ok("1"));
    assert_eq!(send(&app, &request).await, ok("1"));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(receiver.counters().verified, 2, "once for each request");
    assert_eq!(receiver.counters().answered(Verdict::Duplicate), 1);
}

#[tokio::test]
async fn a_handler_takes_state_before_the_callback() {
    #[derive(Clone)]
    struct App {
        runs: Arc<AtomicUsize>,
        weight: usize,
    }
    impl FromRef<App> for Arc<AtomicUsize> {
        fn from_ref(app: &App) -> Self {
            Arc::clone(&app.runs)
        }
    }
    async fn on_record(
        State(runs): State<Arc<AtomicUsize>>,
        State(app): State<App>,
        method: Method,
        delivery: Delivery,
    ) -> Result<(), HandlerError> {
        assert_eq!((method, delivery.attempt()), (Method::POST, 1));
        runs.fetch_add(app.weight, Ordering::Relaxed);
        Ok(())
    }
    let runs = Arc::new(AtomicUsize::new(0));
    let state = App {
        runs: Arc::clone(&runs),
        weight: 3,
    };
    let app = Router::new()
        .route("/", record(receiver(), on_record))
        .with_state(state);
    assert_eq!(send(&app, &fixtures::request("a").build()).await, ok("1"));
    assert_eq!(runs.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn an_extractor_that_rejects_never_looks_like_success() {
    struct Lost;
    impl<S: Sync> FromRequestParts<S> for Lost {
        type Rejection = StatusCode;

        async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
            Err(StatusCode::ACCEPTED)
        }
    }
    async fn on_record(_: Lost, _: RecordCallback) -> Result<(), HandlerError> {
        unreachable!("its extractor has rejected");
    }
    let app = Router::new().route("/", record(receiver(), on_record));
    assert_eq!(
        send(&app, &fixtures::request("a").build()).await,
        (500, String::new())
    );
}
