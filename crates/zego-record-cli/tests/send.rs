//! `send` as a process, against receivers that behave well and badly.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, SystemTime};

use support::{Act, Received, SECRET, Said, Server, TempFile, raw_receiver, run, zego_record};
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
                let first = *seen.entry(*callback.signature().as_bytes()).or_insert(key);
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
    for nothing in ["lost", "wrongly_accepted", "unanswered"] {
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
        "oversize",
    ] {
        let of_kind = deliveries
            .iter()
            .filter(|delivery| delivery["kind"] == kind);
        let wrong: Vec<_> = of_kind
            .clone()
            .filter(|delivery| {
                let expected = if matches!(kind, "callback" | "duplicate") {
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
    let answers = ["503 busy"; 6].join(", ");
    let expected = format!("#0 callback: lost after 6 attempts: {answers}\n0 delivered, 1 lost\n");
    assert!(said.out.contains(&expected), "{said:?}");
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
    let expected = "delivered at attempt 3: no answer in time, no answer in time, 200 ok\n";
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
    assert!(reply.contains("rejected"), "{reply}");
    let said = run(&["send", &format!("http://{free}/"), "--fault", "unsigned"]);
    assert_eq!(
        said.status,
        Some(1),
        "a receiver that is not there has rejected nothing: {said:?}"
    );
    assert!(
        said.out.contains("#0 unsigned: unanswered: no connection"),
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
        assert!(said.out.contains("1 wrongly accepted"), "{fault}: {said:?}");
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
fn the_seed_decides_all_that_is_random() {
    let bodies = |seed: &str| {
        let server = Server::start(|_, _| Act::Answer(200, "1"));
        let fixed = [
            "--field",
            "timestamp=1760001893",
            "--field",
            "begin_time=1",
            "--field",
            "end_time=2",
        ];
        let args = [
            &["send", &server.url, "--count", "5", "--seed", seed],
            &fixed[..],
        ]
        .concat();
        assert_eq!(run(&args).status, Some(0));
        server
            .received()
            .into_iter()
            .map(|received| received.body)
            .collect::<Vec<_>>()
    };
    let first = bodies("5");
    assert_eq!(first, bodies("5"));
    assert_ne!(first, bodies("6"));
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
    assert!(
        err.contains("1/1 begun") && err.contains("1 waiting"),
        "{err:?}"
    );
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
        assert!(
            said.out.contains("1 delivered (1 at attempt 1)"),
            "{said:?}"
        );
    }
}
