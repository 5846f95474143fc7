//! All examples behave alike, as processes: the same requests, the same answers, the same lines.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

use bytes::Bytes;
use common::built;
use serde_json::{Map, Value};
use zego_record_core::Verdict;
use zego_record_testkit::golden::cases;
use zego_record_testkit::{RequestBuilder, SignedRequest};

use zego_record_tests::{SECRET, figures, now, send};

const EXAMPLES: [&str; 4] = ["actix", "axum", "tower", "warp"];
const PATH: &str = "/zego/record";
const MEMBERS: [&str; 16] = [
    "event_id",
    "appid",
    "stream_alias",
    "replay_url",
    "begin_time",
    "end_time",
    "timestamp",
    "nonce",
    "vendor",
    "task_id",
    "file_id",
    "duration",
    "file_size",
    "extra_params",
    "attempt",
    "changed",
];

/// An example that runs on a port of its own.
struct Example {
    child: Child,
    address: SocketAddr,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// A test that fails leaves nothing running.
impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Example {
    fn start(name: &str) -> Self {
        let mut child = command(name)
            .env("ZEGO_CALLBACK_SECRET", format!("another,{SECRET}"))
            .env("ZEGO_LISTEN", "127.0.0.1:0")
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        stderr.read_line(&mut first).unwrap();
        let address = first
            .strip_prefix("listening on http://")
            .unwrap_or_else(|| panic!("{name}: {first}"));
        let address = address.trim().parse().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        Self {
            child,
            address,
            stdout: Some(std::thread::spawn(move || read(&mut stdout))),
            stderr: Some(std::thread::spawn(move || read(&mut stderr))),
        }
    }

    async fn send(&self, request: http::Request<Bytes>) -> (u16, String) {
        let response = send(self.address, request).await;
        (
            response.status().as_u16(),
            String::from_utf8(response.into_body().to_vec()).unwrap(),
        )
    }

    async fn post(&self, request: &SignedRequest) -> (u16, String) {
        self.send(request.clone().into_http()).await
    }

    /// What it has written, after it has ended in good order.
    fn stop(mut self, signal: &str) -> (Vec<String>, String) {
        let killed = Command::new("kill")
            .arg(signal)
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(killed.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{signal}");
        let stdout = self.stdout.take().unwrap().join().unwrap();
        (
            stdout.lines().map(str::to_owned).collect(),
            self.stderr.take().unwrap().join().unwrap(),
        )
    }
}

fn read(from: &mut impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}

fn command(name: &str) -> Command {
    let mut command = Command::new(built(&format!("examples/{name}")));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run_to_end(name: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = command(name);
    command
        .env_remove("ZEGO_CALLBACK_SECRET")
        .env("ZEGO_LISTEN", "127.0.0.1:0");
    command.envs(variables.iter().copied()).output().unwrap()
}

#[tokio::test]
async fn the_same_requests_get_the_same_answers_and_write_the_same_lines() {
    let examples = EXAMPLES.map(|name| (name, Example::start(name)));
    let expected = golden(&examples).await;
    let mut first: Option<Vec<String>> = None;
    for (name, example) in examples {
        assert_eq!(
            example
                .send(http::Request::get("/elsewhere").body(Bytes::new()).unwrap())
                .await
                .0,
            404,
            "{name}"
        );
        let (written, log) = example.stop("-TERM");
        check(name, &written, &expected);
        assert!(!log.contains(SECRET), "{name}");
        let first = first.get_or_insert_with(|| written.clone());
        assert_eq!(&written, first, "{name} and {}", EXAMPLES[0]);
    }
}

/// Sends each request of the golden table to all, and returns what is expected on stdout.
async fn golden(examples: &[(&str, Example)]) -> Vec<Map<String, Value>> {
    let mut lines = Vec::new();
    for case in cases() {
        for request in case.requests(SECRET, now(), 1) {
            let verdict = request.verdict();
            for (name, example) in examples {
                let (status, body) = example.send(request.to_http_at(PATH)).await;
                assert_eq!(status, verdict.status(), "{name}: {}", case.name());
                assert!(
                    body == verdict.body() || body.is_empty(),
                    "{name}: {}: {body}",
                    case.name()
                );
            }
            if verdict == Verdict::Handled {
                lines.push(request.fields().clone());
            }
        }
    }
    lines
}

fn check(name: &str, written: &[String], expected: &[Map<String, Value>]) {
    assert_eq!(
        written.len(),
        expected.len(),
        "{name}: one line for each run of the handler"
    );
    for (line, expected) in written.iter().zip(expected) {
        let line: Map<String, Value> = serde_json::from_str(line).unwrap();
        let members: BTreeSet<&str> = line.keys().map(String::as_str).collect();
        assert_eq!(members, BTreeSet::from(MEMBERS), "{name}");
        for member in ["begin_time", "end_time", "timestamp", "attempt"] {
            assert!(line[member].is_i64(), "{name}: {member}: {}", line[member]);
        }
        for (member, value) in expected {
            // `extra_params` is there only if no vendor was recognised.
            let is_parsed = member == "extra_params" && !line["vendor"].is_null();
            let expected = if is_parsed { &Value::Null } else { value };
            let Some(got) = line.get(member) else {
                continue;
            };
            // 3 and 3.0 are one duration.
            let same_number = got.is_number() && got.as_f64() == expected.as_f64();
            assert!(
                got == expected || same_number,
                "{name}: {member} of {line:?}, not {expected}"
            );
        }
    }
}

#[tokio::test]
async fn a_duplicate_writes_nothing_and_an_old_secret_still_works() {
    for name in EXAMPLES {
        let example = Example::start(name);
        let request = RequestBuilder::new("another", now()).path(PATH).build();
        for _ in 0..3 {
            assert_eq!(
                example.post(&request).await,
                (200, "1".to_owned()),
                "{name}"
            );
        }
        let (written, _) = example.stop("-INT");
        assert_eq!(written.len(), 1, "{name}");
    }
}

/// One in ten is sent twice, one in twenty has its answer dropped, one in fifty is tampered with.
#[test]
fn ten_thousand_callbacks_under_bad_conditions_are_each_handled_once() {
    let sender = built("zego-record");
    for name in EXAMPLES {
        let example = Example::start(name);
        let url = format!("http://{}{PATH}", example.address);
        let sent = Command::new(&sender)
            .args(["send", &url, "--count", "10000", "--concurrency", "32"])
            .args(["--seed", "7", "--speed", "20"])
            .args(["--fault", "duplicate:0.1"])
            .args(["--fault", "drop-answer:0.05"])
            .args(["--fault", "tamper:0.02"])
            .env("ZEGO_CALLBACK_SECRET", SECRET)
            .output()
            .unwrap();
        let report = String::from_utf8(sent.stdout).unwrap();
        assert_eq!(sent.status.code(), Some(0), "{name}: {report}");
        assert!(report.contains(", 0 lost"), "{name}: {report}");
        assert!(
            report.contains(" 0 wrongly accepted, 0 without proof"),
            "{name}: {report}"
        );
        let (written, _) = example.stop("-TERM");
        assert_eq!(written.len(), 10_000, "{name}");
        let totals = report.lines().find(|line| line.contains(" lost")).unwrap();
        figures(
            "callbacks under bad conditions",
            format_args!("{name}: {totals}"),
        );
    }
}

#[test]
fn a_configuration_error_is_printed_and_is_status_2() {
    for name in EXAMPLES {
        for (variables, message) in [
            (vec![], "ZEGO_CALLBACK_SECRET is not set"),
            (
                vec![("ZEGO_CALLBACK_SECRET", "")],
                "ZEGO_CALLBACK_SECRET is empty",
            ),
            (
                vec![("ZEGO_CALLBACK_SECRET", "hunter2,hunter3\n")],
                "ends with white space",
            ),
            (
                vec![("ZEGO_CALLBACK_SECRET", SECRET), ("ZEGO_LISTEN", "3000")],
                "cannot listen on 3000 (ZEGO_LISTEN)",
            ),
        ] {
            let output = run_to_end(name, &variables);
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
            assert!(
                stderr.contains(message) && !stderr.contains("panicked"),
                "{name}: {stderr}"
            );
            assert!(!stderr.contains("hunter"), "{name}: {stderr}");
            assert_eq!(output.stdout, b"", "{name}");
        }
    }
}
