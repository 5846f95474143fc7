//! Extractors before the callback run in the handler's task: they are not dropped with the request, and
//! are stopped with the handler.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::request::Parts;
use http_body_util::BodyExt;
use tokio::sync::Notify;
use tower::ServiceExt;
use zego_record_axum::{HandlerError, Receiver, RecordCallback, record};
use zego_record_core::{CallbackSecret, Verifier};
use zego_record_testkit::RequestBuilder;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[derive(Clone, Default)]
struct App {
    began: Arc<Notify>,
    may_end: Arc<Notify>,
    runs: Arc<AtomicUsize>,
}

/// An extractor that waits, as one does that asks a database who is calling.
struct Slow;

impl<S: Sync> FromRequestParts<S> for Slow
where
    App: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let app = App::from_ref(state);
        app.began.notify_one();
        app.may_end.notified().await;
        Ok(Self)
    }
}

async fn on_record(_: Slow, State(app): State<App>, _: RecordCallback) -> Result<(), HandlerError> {
    app.runs.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

fn router(app: &App, timeout: Duration) -> Router {
    let secret = CallbackSecret::new(SECRET).unwrap();
    let receiver = Receiver::builder(Verifier::builder().secret(secret).build().unwrap())
        .handler_timeout(timeout)
        .build()
        .unwrap();
    Router::new()
        .route("/", record(receiver, on_record))
        .with_state(app.clone())
}

async fn send(router: &Router) -> (u16, String) {
    let request = RequestBuilder::new(SECRET, SystemTime::now().into()).build();
    let request = request.into_http().map(Body::from);
    let response = router.clone().oneshot(request);
    let response = tokio::time::timeout(Duration::from_secs(60), response).await;
    let response = response.expect("it is not answered").unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_disconnects_while_an_extractor_runs_loses_no_run() {
    let app = App::default();
    let router = router(&app, Duration::from_secs(8));
    {
        let mut request = pin!(send(&router));
        tokio::select! {
            answer = &mut request => panic!("answered before the extractor has ended: {answer:?}"),
            () = app.began.notified() => {}
        }
    }
    assert_eq!(send(&router).await, (409, "in_progress".to_owned()));
    app.may_end.notify_one();
    let ran = tokio::time::timeout(Duration::from_secs(1), async {
        while app.runs.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(ran.await.is_ok(), "the extractor was dropped");
    assert_eq!(send(&router).await, (200, "1".to_owned()));
    assert_eq!(app.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_extractor_that_hangs_is_stopped_at_the_handlers_timeout() {
    let app = App::default();
    let router = router(&app, Duration::from_millis(50));
    assert_eq!(send(&router).await, (503, "handler_timeout".to_owned()));
    app.may_end.notify_one();
    assert_eq!(send(&router).await, (200, "1".to_owned()));
    assert_eq!(app.runs.load(Ordering::SeqCst), 1);
}
