//! `RecordMiddleware` around what actix can wrap.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::error::InternalError;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpResponse, ResponseError, dev, test, web};
use zego_record_actix::{Delivery, Record, RecordCallback, RecordMiddleware};
use zego_record_core::Verdict;
use zego_record_testkit::fixtures::{self, Runs, TestResponse};

use crate::support::{post, receiver, request, respond, respond_or_fail, signed, signed_event};

#[actix_web::test]
async fn an_inner_success_is_answered_with_1_and_once() {
    let runs = Runs::default();
    let route = web::post().to(|runs: web::Data<Runs>| async move {
        runs.count();
        HttpResponse::NoContent()
            .insert_header(("x-inner", "1"))
            .finish()
    });
    let app = App::new().app_data(web::Data::new(runs.clone())).service(
        web::resource("/zego/record")
            .wrap(RecordMiddleware::new(receiver()))
            .route(route),
    );
    let app = test::init_service(app).await;

    for verdict in [Verdict::Handled, Verdict::Duplicate] {
        let answer = respond(&app, post(signed("lesson-7")).to_request()).await;
        assert_eq!(answer, TestResponse::expected(verdict));
    }
    assert_eq!(runs.get(), 1);
}

#[actix_web::test]
async fn what_is_rejected_does_not_reach_the_inner_service() {
    let runs = Runs::default();
    // A route for POST alone: without the middleware, actix would answer 405 by itself.
    let route = web::post().to(|runs: web::Data<Runs>| async move {
        runs.count();
        HttpResponse::Ok().finish()
    });
    let app = App::new().app_data(web::Data::new(runs.clone())).service(
        web::resource("/zego/record")
            .wrap(RecordMiddleware::new(receiver()))
            .route(route),
    );
    let app = test::init_service(app).await;

    let forged = signed("lesson-7").replace(r#""signature":""#, r#""signature":"0"#);
    let rows = [
        (request(Method::GET), Verdict::MethodNotAllowed),
        (request(Method::HEAD), Verdict::MethodNotAllowed),
        (post("x".repeat(64 * 1024 + 1)), Verdict::BodyTooLarge),
        (post("{"), Verdict::Malformed),
        (post("{}"), Verdict::Unsigned),
        (post(forged), Verdict::BadSignature),
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

#[actix_web::test]
async fn any_other_inner_answer_is_passed_through_and_tried_again() {
    let runs = Runs::default();
    let route = web::post().to(|runs: web::Data<Runs>| async move {
        let run = runs.count();
        match run {
            1 => HttpResponse::ServiceUnavailable()
                .insert_header(("x-inner", "1"))
                .body("later"),
            2 => HttpResponse::SeeOther().finish(),
            _ => HttpResponse::Ok().finish(),
        }
    });
    let app = App::new().app_data(web::Data::new(runs.clone())).service(
        web::resource("/zego/record")
            .wrap(RecordMiddleware::new(receiver()))
            .route(route),
    );
    let app = test::init_service(app).await;

    let first = respond(&app, post(signed("lesson-7")).to_request()).await;
    assert_eq!((first.status, first.body.as_str()), (503, "later"));
    assert_eq!(first.headers, [("x-inner".to_owned(), "1".to_owned())]);
    assert_eq!(first.verdict, Some(Verdict::HandlerFailed));

    let second = respond(&app, post(signed("lesson-7")).to_request()).await;
    assert_eq!((second.status, second.body.as_str()), (303, ""));

    let third = respond(&app, post(signed("lesson-7")).to_request()).await;
    assert_eq!(third, TestResponse::expected(Verdict::Handled));
    assert_eq!(runs.get(), 3);
}

#[actix_web::test]
async fn an_inner_error_is_passed_through_and_tried_again() {
    let runs = Runs::default();
    let app = App::new().app_data(web::Data::new(runs.clone())).service(
        web::resource("/zego/record")
            // An error of a middleware is one for us as well; one of a handler is a response.
            .wrap_fn(|request, _| {
                request.app_data::<web::Data<Runs>>().unwrap().count();
                async { Err::<actix_web::dev::ServiceResponse, _>(Teapot.into()) }
            })
            .wrap(RecordMiddleware::new(receiver())),
    );
    let app = test::init_service(app).await;

    for run in 1..=2 {
        let (answer, is_error) = respond_or_fail(&app, post(signed("lesson-7")).to_request()).await;
        assert!(is_error);
        assert_eq!((answer.status, answer.body.as_str()), (418, "a teapot"));
        assert_eq!(runs.get(), run);
    }
}

#[actix_web::test]
async fn a_panic_and_a_timeout_have_their_responses_and_are_tried_again() {
    let receiver = fixtures::receiver()
        .handler_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    let route = web::post().to(|delivery: web::ReqData<Delivery>| async move {
        match delivery.attempt() {
            1 => panic!("a bug"),
            2 => std::future::pending().await,
            _ => HttpResponse::Ok().finish(),
        }
    });
    let app = App::new().service(
        web::resource("/zego/record")
            .wrap(RecordMiddleware::new(receiver))
            .route(route),
    );
    let app = test::init_service(app).await;

    for (verdict, is_error) in [
        (Verdict::HandlerFailed, true),
        (Verdict::HandlerTimeout, true),
        (Verdict::Handled, false),
    ] {
        let response = respond_or_fail(&app, post(signed("lesson-7")).to_request()).await;
        assert_eq!(response, (TestResponse::expected(verdict), is_error));
    }
}

#[actix_web::test]
async fn the_payload_is_given_back_to_any_extractor() {
    let bytes = |body: web::Bytes| async move { HttpResponse::BadGateway().body(body) };
    let text = |body: String| async move { HttpResponse::BadGateway().body(body) };
    let json = |web::Json(body): web::Json<HashMap<String, String>>| async move {
        HttpResponse::BadGateway().body(body["stream_alias"].clone())
    };
    let with_record = |Record(recording): Record, body: web::Bytes| async move {
        assert_eq!(recording.stream_alias(), "lesson-7");
        HttpResponse::BadGateway().body(body)
    };
    let body = signed("lesson-7");
    for (route, expected) in [
        (web::to(bytes), body.as_str()),
        (web::to(text), &body),
        (web::to(json), "lesson-7"),
        (web::to(with_record), &body),
    ] {
        let app = App::new()
            .wrap(RecordMiddleware::new(receiver()))
            .route("/zego/record", route);
        let app = test::init_service(app).await;
        let answer = respond(&app, post(body.clone()).to_request()).await;
        assert_eq!((answer.status, answer.body.as_str()), (502, expected));
    }
}

#[actix_web::test]
async fn the_extractor_takes_what_the_middleware_has_verified() {
    // No receiver in the app data: alone, the extractor would fail.
    async fn on_record(
        Record(recording): Record,
        callback: web::ReqData<RecordCallback>,
        delivery: web::ReqData<Delivery>,
    ) -> HttpResponse {
        assert_eq!(recording.nonce(), callback.nonce());
        assert_eq!(recording.nonce(), delivery.callback().nonce());
        HttpResponse::Ok().finish()
    }
    let receiver = receiver();
    let app = App::new().service(
        web::resource("/zego/record")
            .wrap(RecordMiddleware::new(receiver.clone()))
            .route(web::post().to(on_record)),
    );
    let app = test::init_service(app).await;

    let answer = respond(&app, post(signed("lesson-7")).to_request()).await;

    assert_eq!(answer, TestResponse::expected(Verdict::Handled));
    assert_eq!(receiver.counters().verified, 1);
}

/// actix panics when a request is cloned before it has come to the last scope with data.
#[actix_web::test]
async fn the_middleware_wraps_an_app_and_a_scope_that_have_data() {
    async fn on_record(number: web::Data<u8>, name: web::Path<String>) -> HttpResponse {
        assert_eq!((*number.into_inner(), name.as_str()), (7, "record"));
        HttpResponse::Ok().finish()
    }
    let resource = || {
        web::resource("/{name}")
            .app_data(web::Data::new(7_u8))
            .route(web::to(on_record))
    };
    let scope = || web::scope("/zego").app_data(web::Data::new(6_u8));

    let around_the_scope = App::new().service(
        scope()
            .wrap(RecordMiddleware::new(receiver()))
            .service(resource()),
    );
    let app = test::init_service(around_the_scope).await;
    let answer = respond(&app, post(signed("lesson-7")).to_request()).await;
    assert_eq!(answer, TestResponse::expected(Verdict::Handled));

    let around_the_app = App::new()
        .wrap(RecordMiddleware::new(receiver()))
        .service(scope().service(resource()));
    let app = test::init_service(around_the_app).await;
    let answer = respond(&app, post(signed("lesson-7")).to_request()).await;
    assert_eq!(answer, TestResponse::expected(Verdict::Handled));
}

#[derive(Debug)]
struct Teapot;

impl fmt::Display for Teapot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a teapot")
    }
}

impl ResponseError for Teapot {
    fn status_code(&self) -> StatusCode {
        StatusCode::IM_A_TEAPOT
    }
}

#[actix_web::test]
async fn an_inner_error_that_renders_as_a_success_becomes_a_failure() {
    // An inner middleware, since a handler's errors are responses by the time that they come here.
    let disguised = |request: dev::ServiceRequest, next: Next<BoxBody>| async move {
        let runs = request.app_data::<web::Data<Runs>>().unwrap().clone();
        if runs.count() == 1 {
            let response = HttpResponse::Ok().body("1");
            return Err(InternalError::from_response("disguised", response).into());
        }
        next.call(request).await
    };
    let runs = Runs::default();
    let app = App::new().app_data(web::Data::new(runs.clone())).service(
        web::resource("/zego/record")
            .wrap(from_fn(disguised))
            .wrap(RecordMiddleware::new(receiver()))
            .route(web::post().to(HttpResponse::Ok)),
    );
    let app = test::init_service(app).await;
    let body = signed("lesson-7");
    let (failed, is_error) = respond_or_fail(&app, post(body.clone()).to_request()).await;
    assert_eq!((failed.status, is_error), (500, true));
    let retried = respond(&app, post(body).to_request()).await;
    assert_eq!(retried, TestResponse::expected(Verdict::Handled));
    assert_eq!(runs.get(), 2);
}
