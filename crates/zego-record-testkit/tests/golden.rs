//! The golden table against core's verifier with the smallest memory that its sequences need, and the
//! runner against apps that are wrong.

#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Method, Request, Response};
use zego_record_core::{
    CallbackSecret, DeliveryKey, RecordCallback, Rejection, UnixSeconds, Unverified, Verdict,
    Verified, Verifier,
};
use zego_record_testkit::golden::{Conformance, Mode, Reply, Report, assert_conformant, cases};

const NOW: UnixSeconds = UnixSeconds::new(1_760_001_900);
/// They sort before, between and after a timestamp and most of the nonces.
const SECRETS: [&str; 4] = ["0123456789abcdef0123456789abcdef", "1765", "51f0", "secret"];

/// A receiver in a few lines: no timeouts, no leases, no concurrency.
struct Model {
    verifier: Verifier,
    guard: HashMap<[u8; 20], DeliveryKey>,
    done: HashSet<DeliveryKey>,
    deduplicates: bool,
}

impl Model {
    fn new(secret: &str, mode: Mode) -> Self {
        let secret = CallbackSecret::new(secret).unwrap();
        Self {
            verifier: Verifier::builder().secret(secret).build().unwrap(),
            guard: HashMap::new(),
            done: HashSet::new(),
            deduplicates: mode == Mode::Receiver,
        }
    }

    fn receive(&mut self, request: &Request<Bytes>) -> (Verdict, Option<RecordCallback>) {
        match self.pipeline(request) {
            Ok((verdict, callback)) => (verdict, callback),
            Err(rejection) => (rejection.verdict(), None),
        }
    }

    fn pipeline(
        &mut self,
        request: &Request<Bytes>,
    ) -> Result<(Verdict, Option<RecordCallback>), Rejection> {
        if request.method() != Method::POST {
            return Err(Rejection::method_not_allowed());
        }
        if request.body().len() > 65_536 {
            return Err(Rejection::body_too_large(65_536));
        }
        let unverified = Unverified::read(request.body())?;
        let authenticated = self.verifier.authenticate(unverified, NOW)?;
        let (signature, key) = (authenticated.signature(), authenticated.delivery_key());
        if *self.guard.entry(*signature.as_bytes()).or_insert(key) != key {
            return Err(Rejection::signature_reused());
        }
        let Verified::Record(callback) = self.verifier.check_content(authenticated)? else {
            return Ok((Verdict::Ignored, None));
        };
        if self.deduplicates && !self.done.insert(key) {
            return Ok((Verdict::Duplicate, None));
        }
        Ok((Verdict::Handled, Some(callback)))
    }

    fn reply(&mut self, request: &Request<Bytes>) -> Reply {
        let (verdict, callback) = self.receive(request);
        Reply::from(response(verdict)).with_handled(callback)
    }
}

fn response(verdict: Verdict) -> Response<&'static str> {
    let mut response = Response::builder()
        .status(verdict.status())
        .header("content-type", "text/plain; charset=utf-8");
    if verdict == Verdict::MethodNotAllowed {
        response = response.header("allow", "POST");
    }
    response.body(verdict.body()).unwrap()
}

fn clock() -> UnixSeconds {
    NOW
}

/// The apps in here never wait, so the first poll is the last.
fn run<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the app under test waits for something"),
    }
}

fn conformance(secret: &str) -> Conformance<'_, fn() -> UnixSeconds> {
    Conformance::new(secret, clock as fn() -> UnixSeconds)
}

#[test]
fn the_verdicts_of_the_table_are_those_of_core() {
    for secret in SECRETS {
        let mut model = Model::new(secret, Mode::Receiver);
        for case in cases() {
            for (index, request) in case.requests(secret, NOW, 1).iter().enumerate() {
                let (verdict, _) = model.receive(&request.to_http());
                assert_eq!(verdict, request.verdict(), "{}, step {index}", case.name());
            }
        }
    }
}

#[test]
fn core_conforms_in_both_modes_and_more_than_once() {
    for secret in SECRETS {
        for mode in [Mode::Receiver, Mode::Extractor] {
            let mut model = Model::new(secret, mode);
            let conformance = conformance(secret).mode(mode);
            for seed in [1, 2, 3] {
                let report = run(conformance
                    .clone()
                    .seed(seed)
                    .check(async |request| model.reply(&request)));
                let Report {
                    cases: run,
                    requests,
                    handler_seen,
                    ..
                } = report.unwrap();
                assert!(run == cases().len() && requests > run && handler_seen == requests);
            }
        }
    }
}

#[test]
fn a_live_clock_may_tick_between_signing_and_receiving() {
    for seconds in [1, 2] {
        let mut model = Model::new("secret", Mode::Receiver);
        let signed_at = || UnixSeconds::new(NOW.get() - seconds);
        let conformance = Conformance::new("secret", signed_at);
        run(conformance.assert(async |request| model.reply(&request)));
    }
}

#[test]
fn every_row_that_a_succeeding_handler_can_reach_is_in_the_table() {
    let all: Vec<_> = cases()
        .iter()
        .flat_map(|case| case.requests("secret", NOW, 1))
        .collect();
    for verdict in [
        Verdict::MethodNotAllowed,
        Verdict::BodyTooLarge,
        Verdict::Malformed,
        Verdict::Unsigned,
        Verdict::BadSignature,
        Verdict::Stale,
        Verdict::Future,
        Verdict::Invalid,
        Verdict::Ignored,
        Verdict::SignatureReused,
        Verdict::Duplicate,
        Verdict::Handled,
    ] {
        assert!(
            all.iter().any(|request| request.verdict() == verdict),
            "{verdict}"
        );
    }
}

#[test]
fn the_table_is_well_formed() {
    let mut names = HashSet::new();
    for case in cases() {
        let name = case.name();
        assert!(names.insert(name), "{name} twice");
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
            "{name}"
        );
        assert!(
            case.rule().ends_with('.') && case.rule().len() > 20,
            "{name}: {}",
            case.rule()
        );
        let requests = case.requests("secret", NOW, 1);
        assert!(!requests.is_empty(), "{name}");
        for request in requests {
            let body = String::from_utf8_lossy(request.body());
            let body = body.replace("%7B", "{").replace("%7b", "{");
            let fields = request.fields().values().filter_map(|value| value.as_str());
            for text in fields.chain([body.as_str()]) {
                // A name in JSON begins with a quotation mark.
                let left = text
                    .split('{')
                    .skip(1)
                    .any(|after| after.starts_with(|first: char| first.is_ascii_lowercase()));
                assert!(!left, "{name}: a directive was not filled in: {text}");
            }
            if request.verdict() != Verdict::Handled {
                assert!(
                    request.fields().is_empty(),
                    "{name}: fields of what is not handled"
                );
            }
        }
    }
}

#[test]
fn requests_follow_from_the_run_and_differ_between_runs() {
    for case in cases() {
        let bodies = |run| -> Vec<Vec<u8>> {
            let requests = case.requests("secret", NOW, run);
            requests
                .iter()
                .map(|request| request.body().to_vec())
                .collect()
        };
        assert_eq!(bodies(1), bodies(1), "{}", case.name());
        if case.requests("secret", NOW, 1)[0].verdict() == Verdict::Handled {
            assert_ne!(bodies(1), bodies(2), "{}", case.name());
        }
    }
}

#[test]
fn an_app_that_accepts_everything_is_reported_with_all_that_it_lets_through() {
    let send = async |_| (200, "1");
    let differences = run(conformance("secret").seed(5).check(send)).unwrap_err();
    let expected: usize = cases()
        .iter()
        .flat_map(|case| case.requests("secret", NOW, 5))
        .filter(|request| !request.verdict().is_success())
        .count();
    assert_eq!(differences.iter().count(), expected);
    assert_eq!(differences.seed(), 5);
    let report = differences.to_string();
    for text in [
        &format!(
            "{expected} responses differ from the golden table of {} cases (seed 5)",
            cases().len()
        ),
        "\n\ncase tampered_replay, request 2 of 3\n  rule      The signature does not cover the body",
        "https://evil.example/",
        "  expected  422 signature_reused (signature_reused: the handler is not run)\n  got       200 1",
        "sent      GET of 0 bytes",
    ] {
        assert!(report.contains(text), "{text:?} is not in:\n{report}");
    }
}

#[test]
fn a_mistake_that_explains_all_differences_is_one_line() {
    for (status, body, advice) in [
        (
            401,
            "bad_signature",
            "is its secret the one that the test signs with?",
        ),
        (
            401,
            "stale",
            "does its clock show the same time as the test's?",
        ),
        (404, "", "does it serve the path that the test sends to?"),
    ] {
        let app = async |_| (status, body);
        let differences = run(conformance("secret").check(app)).unwrap_err();
        let report = differences.to_string();
        assert!(report.ends_with(advice), "{report}");
        assert_eq!(report.lines().count(), 1, "{report}");
        let accepted = differences
            .iter()
            .filter(|difference| difference.expected.starts_with("200 1 "));
        assert!(
            accepted.count() > 100,
            "each of them can still be looked at"
        );
    }
}

#[test]
fn an_app_that_rejects_nearly_everything_is_reported_case_by_case() {
    let mut model = Model::new("secret", Mode::Receiver);
    let differences =
        run(
            conformance("secret").check(async |request| match model.receive(&request).0 {
                Verdict::Handled => (401, "bad_signature"),
                verdict => (verdict.status(), verdict.body()),
            }),
        );
    let report = differences.unwrap_err().to_string();
    assert!(report.contains("case tencent_form\n"), "{report}");
    assert!(!report.contains("case signature_garbage\n"), "{report}");
}

#[test]
fn a_case_can_be_left_out_by_its_name() {
    let mut model = Model::new("secret", Mode::Receiver);
    let mut send = async |request: Request<Bytes>| match model.receive(&request).0 {
        Verdict::Stale => (403, "too_old"),
        verdict => (verdict.status(), verdict.body()),
    };
    let all = run(conformance("secret").check(&mut send)).unwrap_err();
    let stale: HashSet<_> = all.iter().map(|difference| difference.case).collect();
    assert!(stale.len() > 1 && stale.contains("stale"), "{stale:?}");
    let some = stale
        .iter()
        .fold(conformance("secret"), |conformance, case| {
            conformance.skip(case)
        });
    assert_eq!(
        run(some.check(send)).unwrap().cases,
        cases().len() - stale.len()
    );
}

#[test]
#[should_panic(expected = "the golden table has no case named \"stael\"")]
fn a_case_that_does_not_exist_cannot_be_left_out() {
    let _ = conformance("secret").skip("stael");
}

#[test]
fn requests_are_sent_to_the_path_that_was_set() {
    let mut model = Model::new("secret", Mode::Receiver);
    let send = async |request: Request<Bytes>| match request.uri().path() {
        "/zego/record" => {
            let verdict = model.receive(&request).0;
            (verdict.status(), verdict.body())
        }
        _ => (404, ""),
    };
    run(conformance("secret").path("/zego/record").assert(send));
}

/// The names of the cases at which an app is found wrong.
fn found(secret: &str, send: impl AsyncFnMut(Request<Bytes>) -> Reply) -> HashSet<&'static str> {
    match run(conformance(secret).check(send)) {
        Ok(_) => HashSet::new(),
        Err(differences) => differences
            .iter()
            .map(|difference| difference.case)
            .collect(),
    }
}

#[test]
fn an_app_that_handles_duplicates_is_found_only_if_its_handler_is_seen() {
    let mut model = Model::new("secret", Mode::Extractor);
    let seen = found("secret", async |request| model.reply(&request));
    assert!(
        seen.contains("retry_byte_identical") && seen.contains("retry_signed_anew"),
        "{seen:?}"
    );
    assert!(
        !seen.contains("tampered_replay_upper_case") && !seen.contains("tencent_form"),
        "{seen:?}"
    );

    let mut model = Model::new("secret", Mode::Extractor);
    let send = async |request| Reply::from(response(model.receive(&request).0));
    assert_eq!(found("secret", send), HashSet::new());
}

#[test]
fn runs_of_the_handler_are_counted() {
    let mut model = Model::new("secret", Mode::Extractor);
    let seen = found("secret", async |request| {
        let (verdict, callback) = model.receive(&request);
        Reply::from(response(verdict)).with_handled_count(callback.iter().count())
    });
    assert!(seen.contains("retry_byte_identical"), "{seen:?}");
    assert!(!seen.contains("tencent_form"), "{seen:?}");
}

#[test]
fn only_the_fields_that_an_app_keeps_are_compared() {
    /// The names of the cases at which an app is found wrong that keeps these fields of a callback.
    fn found_in(keep: impl Fn(&RecordCallback) -> serde_json::Value) -> HashSet<&'static str> {
        let mut model = Model::new("secret", Mode::Receiver);
        found("secret", async |request| {
            let (verdict, callback) = model.receive(&request);
            Reply::from(response(verdict)).with_handled_fields(callback.iter().map(&keep))
        })
    }
    let right =
        found_in(|recording| serde_json::json!({ "file_id": recording.extra_params().file_id() }));
    assert_eq!(right, HashSet::new());
    let wrong =
        found_in(|recording| serde_json::json!({ "file_id": recording.extra_params().task_id() }));
    assert!(wrong.contains("tencent_form"), "{wrong:?}");
    assert!(!wrong.contains("stale"), "{wrong:?}");
}

#[test]
fn an_app_that_parses_wrong_is_found() {
    let mut model = Model::new("secret", Mode::Receiver);
    let seen = found("secret", async |request| {
        let (verdict, callback) = model.receive(&request);
        let through_floats = callback.map(|callback| {
            let mut json = serde_json::to_value(callback).unwrap();
            let file_id = json["file_id"]
                .as_str()
                .and_then(|id| id.parse::<f64>().ok());
            if let Some(number) = file_id {
                json["file_id"] = number.to_string().into();
            }
            json
        });
        Reply::from(response(verdict)).with_handled(through_floats)
    });
    assert!(
        seen.contains("tencent_json_strings") && seen.contains("file_id_number"),
        "{seen:?}"
    );
    assert!(!seen.contains("wangsu_json_strings"), "{seen:?}");
}

#[test]
fn an_app_that_answers_in_its_own_words_is_found() {
    let mut model = Model::new("secret", Mode::Receiver);
    let seen = found("secret", async |request| match model.receive(&request).0 {
        Verdict::Handled => Reply::new(200, "1\n"),
        verdict => Reply::new(verdict.status(), verdict.body()),
    });
    assert!(
        seen.contains("tencent_form") && !seen.contains("stale"),
        "{seen:?}"
    );

    let mut model = Model::new("secret", Mode::Receiver);
    let seen = found("secret", async |request| match model.receive(&request).0 {
        Verdict::BadSignature => Reply::new(401, "bad_signature: 5bd59fd6 was expected"),
        verdict => Reply::new(verdict.status(), verdict.body()),
    });
    assert!(
        seen.contains("signature_garbage") && !seen.contains("tencent_form"),
        "{seen:?}"
    );
}

#[test]
fn neither_a_report_nor_a_run_shows_the_secret() {
    let secret = "0123456789abcdef0123456789abcdef";
    let differences = run(conformance(secret).check(async |_| (500, ""))).unwrap_err();
    let text = format!("{differences} {differences:?} {:?}", conformance(secret));
    assert!(!text.contains(secret));
}

#[test]
fn headers_are_compared_where_they_are_known() {
    let mut model = Model::new("secret", Mode::Receiver);
    let seen = found("secret", async |request| {
        let mut response = response(model.receive(&request).0);
        response.headers_mut().remove("allow");
        response.into()
    });
    let methods = ["get", "put", "head", "delete", "patch", "options"];
    assert_eq!(seen.len(), methods.len(), "{seen:?}");

    let mut model = Model::new("secret", Mode::Receiver);
    let seen = found("secret", async |request| {
        let mut response = response(model.receive(&request).0);
        response.headers_mut().remove("content-type");
        response.into()
    });
    assert!(
        seen.len() == cases().len() - 1 && !seen.contains("method_head"),
        "{}",
        seen.len()
    );
}

#[test]
fn an_extractor_leaves_other_methods_to_the_router() {
    let mut model = Model::new("secret", Mode::Extractor);
    let send = async |request: Request<Bytes>| {
        let (verdict, _) = model.receive(&request);
        let body = if verdict == Verdict::MethodNotAllowed {
            ""
        } else {
            verdict.body()
        };
        (verdict.status(), body)
    };
    run(conformance("secret").mode(Mode::Extractor).assert(send));
}

#[test]
#[should_panic(expected = "case stale\n  rule      A timestamp older than the tolerance is stale.")]
fn assert_panics_with_the_report() {
    let mut model = Model::new("secret", Mode::Receiver);
    run(assert_conformant(
        "secret",
        clock,
        async |request| match model.receive(&request).0 {
            Verdict::Stale => (200, "1"),
            verdict => (verdict.status(), verdict.body()),
        },
    ));
}
