//! `check` against receivers with one seeded bug each, and against good ones.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::thread;
use std::time::SystemTime;

use common::{Act, Received, SECRET, Said, Server, TempFile, run};
use serde_json::Value;
use sha1::{Digest, Sha1};
use zego_record_core::{CallbackSecret, DeliveryKey, UnixSeconds, Unverified, Verified, Verifier};

/// Each bug, and the promise that it breaks.
const BUGS: [(&str, &str); 30] = [
    ("accepts-everything", "bad-signature"),
    ("accepts-missing-signature", "unsigned"),
    ("accepts-empty-signature", "unsigned"),
    ("accepts-null-signature", "unsigned"),
    ("accepts-prefix", "bad-signature"),
    ("accepts-true", "bad-signature"),
    ("accepts-empty-secret", "bad-signature"),
    ("any-age", "stale"),
    ("any-future", "future"),
    ("no-replay-guard", "tampered"),
    ("guards-the-nonce", "swapped"),
    ("numeric-sort", "nonces"),
    ("fixed-order", "nonces"),
    ("float-numbers", "json-numbers"),
    ("json-only", "form"),
    ("form-only", "json"),
    ("no-encoded-json", "encoded-json"),
    ("reads-by-content-type", "content-type"),
    ("needs-extra-params", "optional-fields"),
    ("needs-tencent", "vendors"),
    ("ascii-only", "values"),
    ("no-chunked", "transport"),
    ("conflict-on-duplicate", "duplicates"),
    ("one-file-a-stream", "runs-each-file"),
    ("no-deduplication", "runs-once"),
    ("deduplicates-by-signature", "runs-once"),
    ("no-limit", "oversize"),
    ("leaks-signature", "bad-signature"),
    ("fails-on-malformed", "malformed"),
    ("rejects-with-404", "unsigned"),
];

#[derive(Default)]
struct State {
    guard: HashMap<String, DeliveryKey>,
    done: HashSet<String>,
    runs: usize,
}

/// A receiver that is good but for one thing.
fn receiver(bug: &'static str) -> Server {
    let state = Mutex::new(State::default());
    Server::start(move |_, received| {
        let mut state = state.lock().unwrap();
        if received.target == "/runs" {
            return Act::Answer(200, leak(format!("{{\"runs\": {}}}", state.runs)));
        }
        let (status, body) = answer(bug, &mut state, received);
        match bug {
            "rejects-with-404" if status == 401 => Act::Answer(404, body),
            _ => Act::Answer(status, body),
        }
    })
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn answer(bug: &str, state: &mut State, received: &Received) -> (u16, &'static str) {
    let has = |is: &str| bug == is;
    let text = String::from_utf8_lossy(&received.body).into_owned();
    let json = text.starts_with('{');
    if received.method != "POST" {
        return (405, "method_not_allowed");
    }
    if received.body.len() > 64 * 1024 && !has("no-limit") {
        return (413, "body_too_large");
    }
    let unreadable = (has("no-chunked") && received.chunked)
        || (has("json-only") && !json)
        || (has("form-only") && json)
        || (has("no-encoded-json") && text.starts_with("%7B"))
        || (has("reads-by-content-type") && json != received.content_type.contains("json"));
    if unreadable {
        return (400, "malformed");
    }
    let lax =
        has("accepts-everything") || (has("accepts-true") && text.contains(r#""signature":true"#));
    if lax {
        state.runs += 1;
        return (200, "1");
    }
    let Ok(unverified) = Unverified::read(&received.body) else {
        return (
            if has("fails-on-malformed") { 500 } else { 400 },
            "malformed",
        );
    };
    let signature = unverified.signature();
    let (timestamp, nonce) = (unverified.timestamp(), unverified.nonce());
    let skipped = (has("accepts-missing-signature") && !text.contains("signature"))
        || (has("accepts-empty-signature") && signature == Some(""))
        || (has("accepts-null-signature") && text.contains(r#""signature":null"#));
    if skipped {
        state.runs += 1;
        return (200, "1");
    }
    let (Some(timestamp), Some(nonce), Some(signature)) = (timestamp, nonce, signature) else {
        return (401, "unsigned");
    };
    if signature.is_empty() {
        return (401, "unsigned");
    }
    let expected = expected(bug, timestamp, nonce);
    let float = has("float-numbers") && nonce.len() > 16 && text.contains(&format!(":{nonce}"));
    let matches = match bug {
        "accepts-prefix" => expected.starts_with(signature),
        "accepts-empty-secret" => signature == expected || signature == digest(&[timestamp, nonce]),
        _ => signature == expected && !float,
    };
    if !matches {
        return (
            401,
            if has("leaks-signature") {
                leak(format!("expected {expected}"))
            } else {
                "bad_signature"
            },
        );
    }
    let now = UnixSeconds::from(SystemTime::now()).get();
    let age = now - timestamp.parse::<i64>().unwrap_or(0);
    if (age > 300 && !has("any-age")) || (age < -300 && !has("any-future")) {
        return (401, "stale");
    }
    if matches!(
        bug,
        "numeric-sort" | "fixed-order" | "accepts-prefix" | "accepts-empty-secret"
    ) {
        state.runs += 1;
        return (200, "1");
    }
    let secret = CallbackSecret::new(SECRET).unwrap();
    let verifier = Verifier::builder().secret(secret).build().unwrap();
    let now = UnixSeconds::new(timestamp.parse().unwrap());
    let callback = match verifier.verify(&received.body, now) {
        Ok(Verified::Record(callback)) => callback,
        Ok(_) => return (200, "1"),
        Err(rejection) => return (rejection.verdict().status(), rejection.verdict().body()),
    };
    let extra = callback.extra_params();
    if (has("needs-extra-params") && extra.text().is_none())
        || (has("needs-tencent")
            && extra
                .vendor()
                .is_none_or(|vendor| vendor.name() != "tencent"))
        || (has("ascii-only") && !callback.stream_alias().is_ascii())
    {
        return (500, "handler_failed");
    }
    let key = callback.delivery_key();
    let guarded = if has("guards-the-nonce") {
        nonce
    } else {
        signature
    };
    let first = *state.guard.entry(guarded.to_owned()).or_insert(key);
    if first != key && !has("no-replay-guard") {
        return (422, "signature_reused");
    }
    let identity = match bug {
        "one-file-a-stream" => callback.stream_alias().to_owned(),
        "deduplicates-by-signature" => signature.to_owned(),
        _ => format!("{key:?}"),
    };
    if state.done.insert(identity) || has("no-deduplication") {
        state.runs += 1;
    } else if has("conflict-on-duplicate") {
        return (409, "in_progress");
    }
    (200, "1")
}

fn digest(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

fn expected(bug: &str, timestamp: &str, nonce: &str) -> String {
    let number = |text: &str| text.parse::<u128>();
    match bug {
        "fixed-order" => hex::encode(Sha1::digest(format!("{SECRET}{timestamp}{nonce}"))),
        "numeric-sort" => match (number(timestamp), number(nonce)) {
            (Ok(time), Ok(other)) if other < time => {
                hex::encode(Sha1::digest(format!("{SECRET}{nonce}{timestamp}")))
            }
            (Ok(_), Ok(_)) => hex::encode(Sha1::digest(format!("{SECRET}{timestamp}{nonce}"))),
            _ => digest(&[SECRET, timestamp, nonce]),
        },
        _ => digest(&[SECRET, timestamp, nonce]),
    }
}

fn runs_url(server: &Server) -> String {
    server.url.replace("/zego/record", "/runs")
}

fn check(server: &Server, args: &[&str]) -> Said {
    let runs = runs_url(server);
    let fixed = ["check", &server.url, "--runs-url", &runs, "--json"];
    run(&[&fixed[..], args].concat())
}

fn outcomes(report: &Value, outcome: &str) -> Vec<String> {
    let promises = report["promises"].as_array().unwrap().iter();
    let promises = promises.filter(|promise| promise["outcome"] == outcome);
    promises
        .map(|promise| promise["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_seeded_bug_is_found() {
    // A few at once: each of them waits most of the time.
    for bugs in BUGS.chunks(10) {
        let checks = bugs.iter().map(|(bug, promise)| {
            thread::spawn(move || {
                let server = receiver(bug);
                (
                    *bug,
                    *promise,
                    check(&server, &["--speed", "200", "--patience", "1"]),
                )
            })
        });
        for checked in checks.collect::<Vec<_>>() {
            let (bug, promise, said) = checked.join().unwrap();
            assert_eq!(said.status, Some(1), "{bug}: {said:?}");
            let failed = outcomes(&said.json(), "failed");
            assert!(
                failed.iter().any(|name| name == promise),
                "{bug}: {failed:?}"
            );
        }
    }
}

#[test]
fn a_good_receiver_keeps_every_promise_at_any_speed() {
    let checks = ["1", "20", "1000"]
        .map(|speed| thread::spawn(move || (speed, check(&receiver("none"), &["--speed", speed]))));
    for checked in checks {
        let (speed, said) = checked.join().unwrap();
        assert_eq!(said.status, Some(0), "speed {speed}: {said:?}");
        let report = said.json();
        assert!(outcomes(&report, "failed").is_empty(), "{report}");
        assert!(outcomes(&report, "not_visible").is_empty(), "{report}");
    }
}

#[test]
fn what_cannot_be_seen_is_said_with_a_way_to_see_it() {
    let server = receiver("no-deduplication");
    let junit = TempFile::new("junit", "");
    let said = run(&["check", &server.url, "--junit", junit.path()]);
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(said.out.contains("not visible runs-once"), "{said:?}");
    assert!(
        said.out.contains("to see it: report the number of runs"),
        "{said:?}"
    );
    assert!(
        said.out.lines().all(|line| line.chars().count() <= 80),
        "{said:?}"
    );
    let xml = std::fs::read_to_string(junit.path()).unwrap();
    assert!(xml.contains("failures=\"0\" skipped=\"4\""), "{xml}");
}

#[test]
fn without_a_control_nothing_else_is_claimed() {
    for (status, word) in [(401, "same secret"), (404, "URL of the receiver")] {
        let server = Server::start(move |_, _| Act::Answer(status, "no"));
        let said = run(&["check", &server.url, "--json"]);
        assert_eq!(said.status, Some(1), "{said:?}");
        let report = said.json();
        assert_eq!(outcomes(&report, "failed"), ["reachable"], "{report}");
        assert!(
            report["promises"][0]["reason"]
                .as_str()
                .unwrap()
                .contains(word),
            "{report}"
        );
    }
}
