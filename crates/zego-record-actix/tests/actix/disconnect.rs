//! A client that goes away in mid-handler.
//!
//! Whether actix drops a request's future then is its own affair and has changed; here it is dropped.

use std::pin::pin;
use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::{App, Error, HttpResponse, test, web};
use tokio::sync::Notify;
use zego_record_actix::{HandlerError, RecordCallback, RecordMiddleware, record};
use zego_record_core::Verdict;
use zego_record_testkit::fixtures::{Runs, TestResponse};

use crate::support::{post, receiver, respond, signed};

#[derive(Clone, Default)]
struct Handler {
    began: Rc<Notify>,
    may_end: Rc<Notify>,
    runs: Runs,
    effects: Runs,
}

impl Handler {
    async fn run(&self) {
        self.runs.count();
        self.began.notify_one();
        self.may_end.notified().await;
        self.effects.count();
    }
}

#[actix_web::test]
async fn a_function_runs_on() {
    let handler = Handler::default();
    let function = {
        let handler = handler.clone();
        move |_: RecordCallback| {
            let handler = handler.clone();
            async move {
                handler.run().await;
                Ok::<_, HandlerError>(())
            }
        }
    };
    let app = App::new().route("/zego/record", record(receiver(), function));
    let app = test::init_service(app).await;
    runs_on(&app, &handler, || post(signed("lesson-7")).to_request()).await;
}

#[actix_web::test]
async fn an_inner_service_runs_on() {
    let handler = Handler::default();
    let route = {
        let handler = handler.clone();
        web::to(move || {
            let handler = handler.clone();
            async move {
                handler.run().await;
                HttpResponse::Ok().finish()
            }
        })
    };
    let app = App::new().service(
        web::resource("/zego/record")
            .wrap(RecordMiddleware::new(receiver()))
            .route(route),
    );
    let app = test::init_service(app).await;
    runs_on(&app, &handler, || post(signed("lesson-7")).to_request()).await;
}

async fn runs_on<S, R, B>(app: &S, handler: &Handler, request: impl Fn() -> R)
where
    S: Service<R, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    {
        let mut call = pin!(app.call(request()));
        tokio::select! {
            _ = call.as_mut() => panic!("it was answered before the handler has ended"),
            () = handler.began.notified() => {}
        }
    }
    let meanwhile = respond(app, request()).await;
    assert_eq!(meanwhile, TestResponse::expected(Verdict::InProgress));

    handler.may_end.notify_one();
    let retry = loop {
        let answer = respond(app, request()).await;
        if answer.verdict != Some(Verdict::InProgress) {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(retry, TestResponse::expected(Verdict::Duplicate));
    assert_eq!((handler.runs.get(), handler.effects.get()), (1, 1));
}
