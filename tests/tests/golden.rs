//! The golden table on every mount and with every store, over a real socket, and the page that documents it.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::{env, fs};

use http::Method;
use http::header::{CONTENT_LENGTH, HeaderValue};
use tokio::runtime::Builder;
use zego_record_core::Verdict;
use zego_record_testkit::golden::{self, CaseRequest, Conformance, Mode, Reply};
use zego_record_tests::{
    Extent, Kind, Mount, Place, Running, SECRET, every_mount, every_store, figures, mount, now,
    receiver, run_on, send,
};

const MATRIX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/MATRIX.md");

every_mount!(run_on: conforms_to_the_golden_table);

every_store!(on_store: remembers_as_the_golden_table_asks);

async fn conforms_to_the_golden_table(mount: &'static Mount) {
    let running = mount.start(receiver().build().unwrap());
    let mode = match mount.extent {
        Extent::Receiver => Mode::Receiver,
        Extent::Extractor => Mode::Extractor,
    };
    check(&running, mode, mount.name).await;
}

/// The store is the one behind the receiver, as its delivery store and its guard.
async fn remembers_as_the_golden_table_asks(running: &Running, store: Kind) {
    check(running, Mode::Receiver, &format!("axum_route, {store:?}")).await;
}

fn on_store(kind: Kind, test: impl AsyncFnOnce(&Running, Kind)) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(place) = Place::new(kind) else {
            return;
        };
        let receiver = place.open().await.remember(receiver());
        let running = mount("axum_route").start(receiver.build().unwrap());
        test(&running, kind).await;
    });
}

async fn check(running: &Running, mode: Mode, name: &str) {
    let send = async |request: http::Request<_>| {
        let has_body = request.method() != Method::HEAD;
        let response = send(running.address, request).await;
        let length = HeaderValue::from(response.body().len());
        assert!(!has_body || response.headers().get(CONTENT_LENGTH) == Some(&length));
        Reply::from(response).with_handled(running.script.take_runs())
    };
    let checked = Conformance::new(SECRET, now).mode(mode).check(send).await;
    let report = checked.unwrap();
    figures(
        "golden table",
        format_args!(
            "{name}: {} cases, {} requests",
            report.cases, report.requests
        ),
    );
}

#[test]
fn the_page_about_the_cases_is_up_to_date() {
    let page = page();
    if env::var_os("UPDATE_MATRIX").is_some() {
        fs::write(MATRIX, &page).unwrap();
    }
    let written = fs::read_to_string(MATRIX).unwrap_or_default();
    assert!(
        written == page,
        "tests/MATRIX.md differs from the golden table: run this test with UPDATE_MATRIX=1"
    );
}

/// Each case, the rule that it shows, and where an extractor alone differs.
fn page() -> String {
    let mut page = String::from(
        "# The cases of the golden table\n\n\
         What a receiver must answer, and why. The test `golden` sends each case over a real socket to each\n\
         adapter, in each of the ways to use it, and compares status, headers, body, the runs of the handler\n\
         and what it was run with. An extractor alone does not deduplicate, so it handles a duplicate again,\n\
         and leaves other methods than `POST` to the framework's router: the last column shows where it differs.\n\n\
         The same test writes this page: run it with `UPDATE_MATRIX=1` after a change.\n\n\
         | case | rule | answers | extractor alone |\n|---|---|---|---|\n",
    );
    for case in golden::cases() {
        let verdicts: Vec<_> = case
            .requests(SECRET, now(), 0)
            .iter()
            .map(CaseRequest::verdict)
            .collect();
        let receiver = join(verdicts.iter().map(|verdict| verdict.code()));
        let extractor = join(verdicts.iter().map(|verdict| match verdict {
            Verdict::Duplicate => "handled",
            Verdict::MethodNotAllowed => "405 of the router",
            verdict => verdict.code(),
        }));
        let extractor = Some(extractor).filter(|answers| *answers != receiver);
        let (name, rule) = (case.name(), case.rule().replace('|', "\\|"));
        let extractor = extractor.unwrap_or_default();
        writeln!(page, "| {name} | {rule} | {receiver} | {extractor} |").unwrap();
    }
    page
}

fn join<'a>(answers: impl Iterator<Item = &'a str>) -> String {
    answers.collect::<Vec<_>>().join(", ")
}
