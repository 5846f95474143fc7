//! `send` as a process, against receivers that behave well and badly.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, SystemTime};

use common::{Act, Received, SECRET, Said, Server, TempFile, raw_receiver, run, zego_record};
use zego_record_core::{CallbackSecret, Verified, Verifier};

/// A receiver that checks the signature and remembers which content it has seen under it.
fn careful() -> impl Fn(usize, &Received) -> Act {
    let secret = CallbackSecret::new(SECRET).unwrap();
    let verifier = Verifier::builder().secret(secret).build().unwrap();
    let seen = Mutex::new(HashMap::new());
    move |_, received| {
        if received.body.len() > 64 * 1024 {
            return Act::Answer(413, "body_too_large");
        }
        match verifier.verify(&received.body, SystemTime::now().into()) {
            Ok(Verified::Record(callback)) => {
                let mut seen = seen.lock().unwrap();
                let key = callback.delivery_key();
                let first = *seen
                    .entry(*callback.signature().unwrap().as_bytes())
                    .or_insert(key);
                if first == key {
                    Act::Answer(200, "1")
                } else {
                    Act::Answer(422, "signature_reused")
                }
            }
            Ok(_) => Act::Answer(200, "1"),
            Err(rejection) => Act::Answer(rejection.verdict().status(), rejection.verdict().body()),
        }
    }
}

fn contains(body: &[u8], part: &str) -> bool {
    String::from_utf8_lossy(body).contains(part)
}

#[test]
fn one_callback_arrives_at_the_first_attempt() {
    let server = Server::start(careful());
    let said = run(&["send", &server.url, "--seed", "7"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(
        said.out
            .contains("#0 callback: delivered at attempt 1: 200 1\n"),
        "{said:?}"
    );
    assert!(
        said.out.contains("1 delivered (1 at attempt 1), 0 lost\n"),
        "{said:?}"
    );
    assert!(said.out.contains("latency p50 "), "{said:?}");
    let url = &server.url;
    assert_eq!(
        said.err,
        format!("sending 1 callback to {url} with seed 7\n"),
        "no progress in a pipe"
    );
    let received = &server.received()[0];
    assert_eq!(
        (
            received.method.as_str(),
            received.target.as_str(),
            received.content_type.as_str()
        ),
        ("POST", "/zego/record", "application/json")
    );
}

#[test]
fn under_all_faults_at_once_a_careful_receiver_loses_and_lets_in_nothing() {
    let server = Server::start(careful());
    let mut args = vec!["send", &server.url, "--count", "400", "--concurrency", "16"];
    args.extend(["--speed", "100", "--seed", "20261124", "--json"]);
    for fault in [
        "drop-answer:0.1",
        "duplicate:0.1",
        "reorder:0.1",
        "tamper:0.1",
        "stale:0.05",
        "future:0.05",
        "bad-signature:0.05",
        "unsigned:0.05",
        "chunked:0.2",
        "oversize:0.02",
        "slow:0.02",
    ] {
        args.extend(["--fault", fault]);
    }
    let said = run(&args);
    assert_eq!(said.status, Some(0), "{said:?}");
    let json = said.json();
    let totals = &json["totals"];
    assert_eq!(
        (json["seed"].as_u64(), json["unfinished"].as_u64()),
        (Some(20_261_124), Some(0))
    );
    for nothing in ["lost", "wrongly_accepted", "unanswered", "unproven"] {
        assert_eq!(totals[nothing], 0, "{totals}");
    }
    assert!(totals["delivered_at"][1].as_u64() > Some(10), "{totals}");
    let deliveries = json["deliveries"].as_array().unwrap();
    for kind in [
        "callback",
        "duplicate",
        "tampered",
        "stale",
        "future",
        "bad_signature",
        "unsigned",
        "empty_signature",
        "null_signature",
        "control",
        "oversize",
    ] {
        let of_kind = deliveries
            .iter()
            .filter(|delivery| delivery["kind"] == kind);
        let wrong: Vec<_> = of_kind
            .clone()
            .filter(|delivery| {
                let expected = if matches!(kind, "callback" | "control" | "duplicate") {
                    "delivered"
                } else {
                    "rejected"
                };
                delivery["verdict"] != expected
            })
            .collect();
        assert!(of_kind.count() > 0 && wrong.is_empty(), "{kind}: {wrong:?}");
    }
    assert!(server.received().iter().any(|received| received.chunked));
    assert!(server.received().iter().any(|received| !received.chunked));
}

#[test]
fn a_receiver_that_fails_n_times_gets_it_at_the_next_attempt() {
    let server = Server::start(|number, _| match number {
        1 => Act::Answer(500, "handler_failed"),
        2 => Act::Answer(302, ""),
        _ => Act::Answer(204, ""),
    });
    let said = run(&["send", &server.url, "--speed", "1000"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    let expected = "#0 callback: delivered at attempt 3: 500 handler_failed, 302, 204\n";
    assert!(said.out.contains(expected), "{said:?}");
    let received = server.received();
    assert_eq!(
        received[0].body, received[2].body,
        "the same triple on a retry"
    );
}

#[test]
fn a_callback_is_lost_with_its_six_answers() {
    let server = Server::start(|_, _| Act::Answer(503, "busy"));
    let said = run(&["send", &server.url, "--speed", "1000", "--resign"]);
    assert_eq!(said.status, Some(1), "{said:?}");
    let expected = "#0 callback: lost after 6 attempts: 503 busy x6\n0 delivered, 1 lost\n";
    let first = "first failure: #0 callback: 503 busy; trying again in 0.0 s\n";
    assert!(said.err.ends_with(first), "{said:?}");
    assert!(said.out.contains(expected), "{said:?}");
    let received = server.received();
    assert_ne!(received[0].body, received[1].body, "signed anew");
}

#[test]
fn no_answer_and_no_connection_are_failed_attempts() {
    let server = Server::start(|number, _| {
        if number < 3 {
            Act::Hang
        } else {
            Act::Answer(200, "ok")
        }
    });
    let said = run(&["send", &server.url, "--speed", "1000", "--timeout", "0.2"]);
    let expected = "delivered at attempt 3: no answer in time x2, 200 ok\n";
    assert!(
        said.status == Some(0) && said.out.contains(expected),
        "{said:?}"
    );

    // A port that was just free, and that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let said = run(&[
        "send",
        &format!("http://{free}/"),
        "--speed",
        "1000",
        "--json",
    ]);
    assert_eq!(said.status, Some(1), "{said:?}");
    let delivery = &said.json()["deliveries"][0];
    assert_eq!(delivery["verdict"], "lost");
    let reply = delivery["attempts"][5]["reply"]["unreachable"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(reply.contains("refused"), "{reply}");
    let said = run(&[
        "send",
        &format!("http://{free}/"),
        "--fault",
        "unsigned",
        "--speed",
        "1000",
    ]);
    assert_eq!(
        said.status,
        Some(1),
        "a receiver that is not there has rejected nothing: {said:?}"
    );
    assert!(
        said.out
            .contains("#1 control: lost after 6 attempts: no connection")
            && said.out.contains("nothing else was sent"),
        "{said:?}"
    );
}

#[test]
fn a_receiver_that_accepts_everything_is_found_out() {
    let server = Server::start(|_, _| Act::Answer(200, "1"));
    for fault in [
        "tamper",
        "stale",
        "future",
        "bad-signature",
        "unsigned",
        "oversize",
    ] {
        let said = run(&["send", &server.url, "--fault", fault]);
        assert_eq!(said.status, Some(1), "{fault}: {said:?}");
        assert!(
            said.out.contains(": wrongly accepted: 200 1\n"),
            "{fault}: {said:?}"
        );
        let wrongly = if fault == "unsigned" { 3 } else { 1 };
        let expected = format!("{wrongly} wrongly accepted");
        assert!(said.out.contains(&expected), "{fault}: {said:?}");
    }
}

#[test]
fn a_dropped_answer_leaves_the_receiver_with_the_whole_request() {
    let (url, bodies) = raw_receiver();
    let args = ["--fault", "drop-answer", "--count", "20", "--speed", "1000"];
    let said = run(&[&["send", &url, "--json", "--seed", "3"], &args[..]].concat());
    assert_eq!(said.json()["totals"]["delivered_at"][1], 20, "{said:?}");
    let mut times = HashMap::new();
    // A body that was cut off never comes, so the wait has an end.
    let next = || bodies.recv_timeout(Duration::from_secs(10)).ok();
    for body in std::iter::from_fn(next).take(40) {
        *times.entry(body).or_insert(0) += 1;
    }
    assert_eq!(times.len(), 20, "the first attempt and its retry are alike");
    assert!(
        times.values().all(|times| *times == 2),
        "{:?}",
        times.values()
    );
}

#[test]
fn a_captured_body_is_sent_again_under_a_fresh_signature() {
    let server = Server::start(careful());
    let captured = r#"{"event":"record","appid":7,"stream_alias":"captured","replay_url":"u","begin_time":1,"end_time":2,"new":[1.50],"timestamp":1760001893,"nonce":"1","signature":"x"}"#;
    let file = TempFile::new("captured", captured);
    let said = run(&[
        "send",
        &server.url,
        "--body",
        file.path(),
        "--field",
        "begin_time=3",
    ]);
    assert_eq!(said.status, Some(0), "{said:?}");
    let body = String::from_utf8(server.received()[0].body.clone()).unwrap();
    for kept in [
        r#""appid":7"#,
        r#""new":[1.50]"#,
        r#""begin_time":"3""#,
        r#""stream_alias":"captured""#,
    ] {
        assert!(body.contains(kept), "{kept} in {body}");
    }
    assert!(
        !body.contains("1760001893") && !body.contains("extra_params"),
        "{body}"
    );
}

#[test]
fn a_seed_repeats_the_plan_and_never_a_signature() {
    let server = Server::start(careful());
    let run_once = || {
        let faults = [
            "--fault",
            "duplicate:0.5",
            "--fault",
            "unsigned:0.3",
            "--json",
        ];
        let args = [
            &["send", &server.url, "--count", "9", "--seed", "5"],
            &faults[..],
        ]
        .concat();
        let said = run(&args);
        assert_eq!(
            said.status,
            Some(0),
            "a replay that nobody caused: {said:?}"
        );
        let json = said.json();
        let deliveries = json["deliveries"].as_array().unwrap().clone();
        deliveries
            .iter()
            .map(|d| (d["callback"].clone(), d["kind"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(run_once(), run_once());
    let bodies: Vec<_> = server
        .received()
        .into_iter()
        .map(|received| received.body)
        .collect();
    let distinct: std::collections::HashSet<_> = bodies.iter().collect();
    let duplicates = run_once()
        .iter()
        .filter(|(_, kind)| kind == "duplicate")
        .count();
    assert_eq!(distinct.len() + 2 * duplicates, bodies.len());
}

#[test]
fn a_receiver_that_rejects_everything_proves_nothing() {
    for status in [401, 404, 405, 301, 500] {
        let server = Server::start(move |_, _| Act::Answer(status, ""));
        let said = run(&[
            "send",
            &server.url,
            "--fault",
            "unsigned",
            "--speed",
            "1000",
        ]);
        assert_eq!(said.status, Some(1), "{status}: {said:?}");
        assert!(
            said.out.contains("nothing else was sent"),
            "{status}: {said:?}"
        );
    }
}

#[test]
fn a_failure_is_no_rejection_unless_it_is_said_to_be_one() {
    let server = Server::start(move |_, received| {
        let empty = contains(&received.body, r#""signature":"""#);
        Act::Answer(if empty { 500 } else { 200 }, "1")
    });
    let args = ["send", &server.url, "--field", "signature="];
    let said = run(&args);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(
        said.out
            .contains("#0 probe: not proven to be rejected: 500 1"),
        "{said:?}"
    );
    let said = run(&[&args[..], &["--rejected-status", "500"]].concat());
    assert_eq!(said.status, Some(0), "{said:?}");
}

#[test]
fn an_empty_signature_that_is_accepted_is_found() {
    let careful = careful();
    let server = Server::start(move |number, received| {
        let empty = contains(&received.body, r#""signature":"""#);
        if empty {
            Act::Answer(200, "1")
        } else {
            careful(number, received)
        }
    });
    for args in [&["--fault", "unsigned"][..], &["--field", "signature="]] {
        let said = run(&[&["send", &server.url], args].concat());
        assert_eq!(said.status, Some(1), "{said:?}");
        assert!(said.out.contains("1 wrongly accepted"), "{said:?}");
    }
    let said = run(&[
        "send",
        &server.url,
        "--unset",
        "signature",
        "--expect",
        "rejected",
    ]);
    assert_eq!(said.status, Some(0), "{said:?}");
}

#[test]
fn headers_and_content_type_are_sent_as_asked() {
    let server = Server::start(|_, _| Act::Answer(200, "thanks"));
    for (content_type, expected) in [("text/plain", "text/plain"), ("none", "")] {
        let args = ["--content-type", content_type, "--null", "extra_params"];
        let said = run(&[&["send", &server.url], &args[..]].concat());
        assert_eq!(said.status, Some(0), "{said:?}");
        assert!(said.out.contains("whose body is not 1"), "{said:?}");
        let received = server.received().pop().unwrap();
        assert_eq!(received.content_type, expected);
        let body = String::from_utf8(received.body).unwrap();
        assert!(body.contains(r#""extra_params":null"#), "{body}");
    }
}

#[test]
fn repeats_are_counted_since_the_handler_runs_are_not_seen() {
    let server = Server::start(|_, _| Act::Answer(200, "1"));
    let said = run(&["send", &server.url, "--count", "4", "--fault", "duplicate"]);
    let note = said.out.replace("\n  ", " ");
    let expected = "note: 4 callbacks, 4 repeats: your handler should have run 4 times.";
    assert!(note.contains(expected), "{said:?}");
}

#[test]
fn progress_is_shown_on_a_terminal_and_wiped() {
    let server = Server::start(|number, _| Act::Answer(if number == 1 { 500 } else { 200 }, "1"));
    let secret = TempFile::new("progress-secret", SECRET);
    let args = [
        "zego-record",
        "send",
        &server.url,
        "--speed",
        "10",
        "--secret-file",
        secret.path(),
    ];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut io = zego_record_cli::Io {
        input: &mut std::io::empty(),
        out: &mut out,
        err: &mut err,
        out_color: true,
        err_color: true,
        progress: true,
        input_is_terminal: false,
        width: 80,
    };
    let status = zego_record_cli::run(args, &mut io);
    let (out, err) = (
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    );
    assert_eq!(status, zego_record_cli::Status::Fine, "{out}{err}");
    assert!(
        out.contains("\u{1b}[32mdelivered at attempt 2\u{1b}[0m"),
        "{out:?}"
    );
    assert!(err.contains("first failure: #0 callback: 500 1"), "{err:?}");
    assert!(err.ends_with("\r\u{1b}[K"), "{err:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_with_what_is_known() {
    for signal in ["-INT", "-TERM"] {
        let (sender, second) = mpsc::channel();
        let server = Server::start(move |number, _| match number {
            1 => Act::Answer(200, "1"),
            _ => {
                sender.send(()).unwrap();
                Act::Answer(500, "handler_failed")
            }
        });
        // At the real speed: without the interrupt it would take a minute.
        let child = zego_record(&["send", &server.url, "--count", "2"])
            .spawn()
            .unwrap();
        second.recv().unwrap();
        let pid = child.id().to_string();
        let kill = std::process::Command::new("kill")
            .args([signal, &pid])
            .status();
        assert!(kill.unwrap().success());
        let said: Said = child.wait_with_output().unwrap().into();
        assert_eq!(said.status, Some(1), "{said:?}");
        assert!(
            said.out.contains("interrupted, not finished: 1"),
            "{said:?}"
        );
        assert!(said.out.contains("#1 callback: unfinished"), "{said:?}");
        assert!(
            said.out.contains("1 delivered (1 at attempt 1)"),
            "{said:?}"
        );
    }
}
