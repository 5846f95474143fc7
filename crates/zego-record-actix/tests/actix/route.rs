//! `record`, the route for a function.

use std::rc::Rc;

use actix_web::http::Method;
use actix_web::{App, test, web};
use zego_record_actix::{Delivery, HandlerError, RecordCallback, record};
use zego_record_core::Verdict;
use zego_record_testkit::fixtures::{self, Runs, TestResponse};

use crate::support::{post, receiver, request, respond, signed, signed_event};

#[actix_web::test]
async fn an_accepted_callback_reaches_the_handler() {
    // A handler need not be `Send`.
    let seen = Rc::new(std::cell::RefCell::new(Vec::new()));
    let handler = {
        let seen = Rc::clone(&seen);
        move |recording: RecordCallback| {
            let seen = Rc::clone(&seen);
            async move {
                seen.borrow_mut().push(recording.stream_alias().to_owned());
                Ok(())
            }
        }
    };
    let app = App::new().route("/zego/record", record(receiver(), handler));
    let app = test::init_service(app).await;

    let answer = respond(&app, post(signed("lesson-7")).to_request()).await;

    assert_eq!(answer, TestResponse::expected(Verdict::Handled));
    assert_eq!(*seen.borrow(), ["lesson-7"]);
}

#[actix_web::test]
async fn what_is_rejected_does_not_reach_the_handler() {
    let runs = Runs::default();
    let receiver = fixtures::receiver().body_limit(2_000).build().unwrap();
    let route = record(receiver, counting(&runs));
    let app = test::init_service(App::new().service(web::resource("/zego/record").route(route)));
    let app = app.await;

    let forged = signed("lesson-7").replace(r#""signature":""#, r#""signature":"0"#);
    let invalid = signed("lesson-7").replace("end_time", "other");
    let too_large = "x".repeat(2_001);
    // Without a Content-Length, as in a chunked body.
    let announced = request(Method::POST).insert_header(("content-length", "2001"));
    let rows = [
        (request(Method::GET), Verdict::MethodNotAllowed),
        (request(Method::HEAD), Verdict::MethodNotAllowed),
        (request(Method::PUT), Verdict::MethodNotAllowed),
        (request(Method::OPTIONS), Verdict::MethodNotAllowed),
        (post(too_large), Verdict::BodyTooLarge),
        (announced, Verdict::BodyTooLarge),
        (post("{"), Verdict::Malformed),
        (post("stream_alias=lesson-7"), Verdict::Unsigned),
        (post(forged), Verdict::BadSignature),
        (post(invalid), Verdict::Invalid),
        (post(signed_event("compose", "lesson-7")), Verdict::Ignored),
    ];
    for (request, verdict) in rows {
        assert_eq!(
            respond(&app, request.to_request()).await,
            TestResponse::expected(verdict)
        );
    }
    assert_eq!(runs.get(), 0);
}

fn counting(
    runs: &Runs,
) -> impl Fn(RecordCallback) -> std::future::Ready<Result<(), HandlerError>> + Clone + use<> {
    let runs = runs.clone();
    move |_| {
        runs.count();
        std::future::ready(Ok(()))
    }
}

#[actix_web::test]
async fn a_handler_takes_app_data_before_the_callback() {
    async fn on_record(
        runs: web::Data<Runs>,
        method: Method,
        delivery: Delivery,
    ) -> Result<(), HandlerError> {
        assert_eq!((method, delivery.attempt()), (Method::POST, 1));
        runs.count();
        Ok(())
    }
    let runs = Runs::default();
    let app = App::new()
        .app_data(web::Data::new(runs.clone()))
        .route("/zego/record", record(receiver(), on_record));
    let app = test::init_service(app).await;
    let answer = respond(&app, post(signed("lesson-7")).to_request()).await;
    assert_eq!(answer, TestResponse::expected(Verdict::Handled));
    assert_eq!(runs.get(), 1);
}
