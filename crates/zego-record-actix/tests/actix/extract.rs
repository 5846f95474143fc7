//! `Record`, the extractor, by itself.

use std::sync::Mutex;

use actix_web::http::Method;
use actix_web::{App, test, web};
use zego_record_actix::{Ack, Record};
use zego_record_core::Verdict;
use zego_record_testkit::fixtures::{Runs, TestResponse};

use crate::support::{post, receiver, request, respond, signed, signed_event};

async fn on_record(Record(recording): Record, runs: web::Data<Runs>) -> Ack {
    assert_eq!(recording.stream_alias(), "lesson-7");
    runs.count();
    Ack
}

#[actix_web::test]
async fn it_verifies_with_the_receiver_from_the_app_data() {
    for in_data in [false, true] {
        let runs = Runs::default();
        let app = App::new()
            .app_data(web::Data::new(runs.clone()))
            .configure(|config| {
                if in_data {
                    config.app_data(web::Data::new(receiver()));
                } else {
                    config.app_data(receiver());
                }
            })
            .route("/zego/record", web::to(on_record));
        let app = test::init_service(app).await;

        let body = signed("lesson-7");
        let tampered = body.replace("7.mp4", "8.mp4");
        let rows = [
            (request(Method::GET), Verdict::MethodNotAllowed, 0),
            (post("stream_alias=lesson-7"), Verdict::Unsigned, 0),
            (
                post(signed_event("compose", "lesson-7")),
                Verdict::Ignored,
                0,
            ),
            (post(body.clone()), Verdict::Handled, 1),
            // No deduplication, but the replay guard.
            (post(body), Verdict::Handled, 2),
            (post(tampered), Verdict::SignatureReused, 2),
        ];
        for (request, verdict, ran) in rows {
            assert_eq!(
                respond(&app, request.to_request()).await,
                TestResponse::expected(verdict)
            );
            assert_eq!(runs.get(), ran, "{verdict}");
        }
    }
}

#[actix_web::test]
async fn a_missing_receiver_is_logged_once_and_nothing_is_accepted() {
    log::set_logger(&LOG).unwrap();
    log::set_max_level(log::LevelFilter::Error);
    let runs = Runs::default();
    let app = App::new()
        .app_data(web::Data::new(runs.clone()))
        .route("/zego/record", web::to(on_record));
    let app = test::init_service(app).await;

    // Also what nobody has signed: whoever can send a request must not fill the log.
    for request in [
        post(signed("lesson-7")),
        post("stream_alias=lesson-7"),
        request(Method::GET),
    ] {
        let answer = respond(&app, request.to_request()).await;
        assert_eq!(answer, TestResponse::expected(Verdict::HandlerFailed));
    }

    assert_eq!(Verdict::HandlerFailed.status(), 500);
    assert_eq!(runs.get(), 0);
    let lines = LOG.0.lock().unwrap();
    let about_it = lines
        .iter()
        .filter(|line| line.contains(".app_data(receiver.clone())"));
    assert_eq!(about_it.count(), 1, "{lines:?}");
}

static LOG: Log = Log(Mutex::new(Vec::new()));

struct Log(Mutex<Vec<String>>);

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}
