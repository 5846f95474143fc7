//! The golden table on every mount, over a real socket, and the matrix that documents it.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::{env, fs};

use http::Method;
use http::header::{CONTENT_LENGTH, HeaderValue};
use zego_record_testkit::golden::{self, Conformance, Mode, Reply};
use zego_record_tests::{Extent, MOUNTS, Mount, SECRET, figures, now, receiver, send};

const MATRIX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/MATRIX.md");

#[tokio::test]
async fn every_mount_answers_every_case_as_the_table_says() {
    let mut reports = Vec::new();
    for mount in MOUNTS {
        match check(mount).await {
            Ok(report) => figures(
                "golden table",
                format_args!(
                    "{mount:?}: {} cases, {} requests",
                    report.cases, report.requests
                ),
            ),
            Err(differences) => reports.push(format!("{mount:?}:\n{differences}")),
        }
    }
    assert!(reports.is_empty(), "{}", reports.join("\n"));

    let matrix = matrix();
    if env::var_os("UPDATE_MATRIX").is_some() {
        fs::write(MATRIX, &matrix).unwrap();
    }
    let written = fs::read_to_string(MATRIX).unwrap_or_default();
    assert!(
        written == matrix,
        "tests/MATRIX.md is not of this table: run this test with UPDATE_MATRIX=1"
    );
}

async fn check(mount: &Mount) -> Result<golden::Report, golden::Differences> {
    let running = mount.start(receiver().build().unwrap());
    let mode = match mount.extent {
        Extent::Receiver => Mode::Receiver,
        Extent::Extractor => Mode::Extractor,
    };
    let send = async |request: http::Request<_>| {
        let has_body = request.method() != Method::HEAD;
        let response = send(running.address, request).await;
        let length = HeaderValue::from(response.body().len());
        assert!(!has_body || response.headers().get(CONTENT_LENGTH) == Some(&length));
        Reply::from(response).with_handled(running.script.take_runs())
    };
    Conformance::new(SECRET, now).mode(mode).check(send).await
}

/// What holds once no mount differs.
fn matrix() -> String {
    let mut matrix = String::from(
        "# Every case on every adapter\n\n\
         Written by the test `golden`, which sends each case of the golden table over a real socket to each\n\
         adapter, and kept by it: run it with `UPDATE_MATRIX=1` after a change. An adapter's answer is the same\n\
         to the byte in all columns; an extractor alone does not deduplicate, and handles a `duplicate` again.\n\n",
    );
    let names: Vec<_> = MOUNTS.iter().map(|mount| mount.name).collect();
    writeln!(matrix, "| case | answers | {} |", names.join(" | ")).unwrap();
    writeln!(matrix, "|---|---|{}", ":-:|".repeat(names.len())).unwrap();
    for case in golden::cases() {
        let requests = case.requests(SECRET, now(), 0);
        let answers: Vec<_> = requests
            .iter()
            .map(|request| request.verdict().code())
            .collect();
        writeln!(
            matrix,
            "| {} | {} |{}",
            case.name(),
            answers.join(", "),
            " ✓ |".repeat(names.len())
        )
        .unwrap();
    }
    matrix
}
