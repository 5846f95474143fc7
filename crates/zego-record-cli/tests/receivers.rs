//! `demo` and `listen`, as processes.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::{SECRET, Said, run, zego_record};

#[test]
fn the_demo_shows_that_everything_is_as_documented() {
    let said = run(&["demo", "--speed", "1000", "--json"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    let report = said.json();
    assert_eq!(report["fine"], true, "{report}");
    let scenes = report["scenes"].as_array().unwrap();
    assert_eq!(scenes.len(), 35);
    for scene in scenes {
        assert_eq!(scene["fine"], true, "{scene}");
    }
    let answers = |name: &str| {
        let scene = scenes.iter().find(|scene| scene["name"] == name).unwrap();
        let answers = scene["answers"].as_array().unwrap().iter();
        answers
            .map(|answer| answer["status"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(answers("a handler that fails twice"), [500, 500, 200]);
    assert_eq!(answers("other content under its signature"), [422]);
}

#[test]
fn the_demo_needs_no_secret_and_prints_a_table() {
    let said: Said = zego_record(&["demo", "--speed", "1000"])
        .env_remove("ZEGO_CALLBACK_SECRET")
        .output()
        .unwrap()
        .into();
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    assert!(
        said.out.contains("ok   a handler that fails twice"),
        "{}",
        said.out
    );
    assert!(said.out.ends_with("0 not as documented\n"), "{}", said.out);
    assert!(!said.out.contains('\u{1b}'), "colours only on a terminal");

    let said = run(&["demo", "--speed", "0"]);
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
    assert!(
        said.err.contains("--speed must be positive"),
        "{}",
        said.err
    );
}

/// `listen` on a port of its own.
struct Listening {
    child: Child,
    url: String,
}

impl Listening {
    fn start(args: &[&str]) -> Self {
        let args = [&["listen", "--addr", "127.0.0.1:0"], args].concat();
        let mut child = zego_record(&args).spawn().unwrap();
        let mut line = String::new();
        // Byte by byte, so that what comes later stays in the pipe.
        let mut stderr = BufReader::with_capacity(1, child.stderr.as_mut().unwrap());
        stderr.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line}"));
        let url = format!("{address}/zego/record");
        Self { child, url }
    }

    fn send(&self, args: &[&str]) -> Said {
        run(&[&["send", &self.url, "--json", "--speed", "100"], args].concat())
    }

    fn stop(mut self, signal: &str) -> Said {
        let killed = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
        let (mut out, mut err) = (String::new(), String::new());
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        Said {
            status: self.child.wait().unwrap().code(),
            out,
            err,
        }
    }
}

fn lines(said: &Said) -> Vec<Value> {
    said.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn kinds(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["kind"].as_str().unwrap())
        .collect()
}

#[test]
fn what_is_sent_is_shown() {
    let listening = Listening::start(&["--json"]);
    let sent = listening.send(&[
        "--fault",
        "duplicate",
        "--fault",
        "tamper",
        "--vendor",
        "huawei",
    ]);
    assert_eq!(sent.status, Some(0), "{sent:?}");
    let sent = listening.send(&["--fault", "stale"]);
    assert_eq!(sent.status, Some(0), "{sent:?}");
    let sent = listening.send(&["--field", "event=compose"]);
    assert_eq!(sent.status, Some(0), "{sent:?}");
    let said = listening.stop("-INT");
    assert_eq!(said.status, Some(0), "{said:?}");
    let lines = lines(&said);
    assert_eq!(
        kinds(&lines),
        [
            "delivery", "answered", "rejected", "delivery", "rejected", "ignored", "totals"
        ]
    );
    assert_eq!(lines[0]["outcome"], "handled");
    assert_eq!(lines[0]["callback"]["vendor"], "huawei");
    assert_eq!(lines[1]["verdict"], "duplicate");
    assert_eq!(
        (&lines[2]["verdict"], &lines[2]["signed"]),
        (&"signature_reused".into(), &true.into())
    );
    assert_eq!(lines[4]["verdict"], "stale");
    assert!(
        lines[4]["reason"]
            .as_str()
            .unwrap()
            .contains("300 s are allowed")
    );
    assert_eq!(lines[5]["event"], "compose");
    let answers = &lines[6]["answers"];
    for verdict in ["duplicate", "signature_reused", "stale", "ignored"] {
        assert_eq!(answers[verdict], 1, "{answers}");
    }
    assert!(!said.out.contains(SECRET) && !said.err.contains(SECRET));
}

#[test]
fn failures_on_request_are_tried_again() {
    for (how, outcome, status) in [("500", "failed", 500), ("panic", "panicked", 500)] {
        let listening = Listening::start(&["--json", "--fail", how, "--times", "2"]);
        let sent = listening.send(&[]);
        assert_eq!(sent.status, Some(0), "{sent:?}");
        let attempts = sent.json()["deliveries"][0]["attempts"]
            .as_array()
            .unwrap()
            .clone();
        let statuses: Vec<_> = attempts
            .iter()
            .map(|attempt| attempt["reply"]["answer"]["status"].as_u64().unwrap())
            .collect();
        assert_eq!(statuses, [status, status, 200], "{how}");
        let said = listening.stop("-TERM");
        assert_eq!(said.status, Some(0), "{said:?}");
        let lines = lines(&said);
        let outcomes: Vec<_> = lines
            .iter()
            .filter_map(|line| line["outcome"].as_str())
            .collect();
        assert_eq!(outcomes, [outcome, outcome, "handled"], "{how}");
        assert_eq!(lines[2]["attempt"], 3);
    }
}

#[test]
fn for_a_person_every_event_is_a_line() {
    let listening = Listening::start(&[]);
    listening.send(&["--vendor", "tencent"]);
    listening.send(&["--fault", "bad-signature"]);
    let said = listening.stop("-INT");
    let lines: Vec<_> = said.out.lines().collect();
    assert!(
        lines[0].contains("handled    stream-0, tencent, 5"),
        "{said:?}"
    );
    assert!(
        lines[2].contains("bad_signature (401)") && lines[2].contains("ServerSecret"),
        "{said:?}"
    );
    assert_eq!(lines[3], "answers: 1 bad_signature, 2 handled");
}

#[test]
fn a_port_that_is_taken_is_said() {
    let listening = Listening::start(&[]);
    let address = listening
        .url
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/zego/record")
        .unwrap();
    let said = run(&["listen", "--addr", address]);
    assert_eq!(said.status, Some(2), "{said:?}");
    assert!(said.err.contains("choose another --addr"), "{}", said.err);
    let said: Said = zego_record(&["listen"])
        .env("ZEGO_CALLBACK_SECRET", "")
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into();
    assert_eq!(said.status, Some(2), "{said:?}");
    listening.stop("-INT");
}
