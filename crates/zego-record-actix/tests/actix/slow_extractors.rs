//! Extractors before the callback run in the handler's task: they are not dropped with the request, and
//! are stopped with the handler.

use std::future::{Future, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, Service, ServiceResponse};
use actix_web::{App, Error, FromRequest, HttpRequest, test, web};
use tokio::sync::Notify;
use zego_record_actix::{HandlerError, Receiver, RecordCallback, record};
use zego_record_core::Verdict;
use zego_record_testkit::fixtures::{Runs, TestResponse, verifier};

use crate::support::{post, receiver, respond, signed};

#[derive(Clone, Default)]
struct Gate {
    began: Rc<Notify>,
    may_end: Rc<Notify>,
    runs: Runs,
}

/// An extractor that waits, as one does that asks a database who is calling.
struct Slow(Gate);

impl FromRequest for Slow {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let gate = request.app_data::<Gate>().unwrap().clone();
        Box::pin(async move {
            gate.began.notify_one();
            gate.may_end.notified().await;
            Ok(Self(gate))
        })
    }
}

fn on_record(
    Slow(gate): Slow,
    _: RecordCallback,
) -> impl Future<Output = Result<(), HandlerError>> {
    gate.runs.count();
    ready(Ok(()))
}

/// The answer, but not waited for without end.
async fn send<S, R, B>(app: &S, request: R) -> TestResponse
where
    S: Service<R, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let answer = tokio::time::timeout(Duration::from_secs(10), respond(app, request)).await;
    answer.ok().unwrap()
}

#[actix_web::test]
async fn a_client_that_disconnects_while_an_extractor_runs_loses_no_run() {
    let gate = Gate::default();
    let app = App::new()
        .app_data(gate.clone())
        .service(web::resource("/zego/record").route(record(receiver(), on_record)));
    let app = test::init_service(app).await;
    {
        let mut call = pin!(app.call(post(signed("lesson-7")).to_request()));
        tokio::select! {
            _ = call.as_mut() => panic!("it was answered before the extractor has ended"),
            () = gate.began.notified() => {}
        }
    }
    let meanwhile = send(&app, post(signed("lesson-7")).to_request()).await;
    assert_eq!(meanwhile, TestResponse::expected(Verdict::InProgress));

    gate.may_end.notify_one();
    let ran = tokio::time::timeout(Duration::from_secs(5), async {
        while gate.runs.get() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(ran.await.is_ok(), "the extractor was dropped");
    let retry = send(&app, post(signed("lesson-7")).to_request()).await;
    assert_eq!(retry, TestResponse::expected(Verdict::Duplicate));
    assert_eq!(gate.runs.get(), 1);
}

#[actix_web::test]
async fn an_extractor_that_hangs_is_stopped_at_the_handlers_timeout() {
    let gate = Gate::default();
    let receiver = Receiver::builder(verifier())
        .handler_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let app = App::new()
        .app_data(gate.clone())
        .service(web::resource("/zego/record").route(record(receiver, on_record)));
    let app = test::init_service(app).await;
    let first = send(&app, post(signed("lesson-7")).to_request()).await;
    assert_eq!(first, TestResponse::expected(Verdict::HandlerTimeout));
    gate.may_end.notify_one();
    let retry = send(&app, post(signed("lesson-7")).to_request()).await;
    assert_eq!(retry, TestResponse::expected(Verdict::Handled));
    assert_eq!(gate.runs.get(), 1);
}
