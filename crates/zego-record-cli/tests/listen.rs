//! `listen`, as a process.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use common::listening::{Listening, kinds, lines};
use common::{Act, SECRET, Said, Server, TempDir, run, zego_record};
use serde_json::Value;

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
    for (how, outcome, status) in [
        ("500", "failed", 500),
        ("panic", "panicked", 500),
        ("404", "failed", 404),
        ("503", "failed", 503),
    ] {
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
fn for_a_person_every_event_is_shown_with_its_time_in_utc() {
    let listening = Listening::start(&[]);
    listening.send(&["--vendor", "tencent"]);
    listening.send(&["--fault", "bad-signature"]);
    let said = listening.stop("-INT");
    let shown = said.out.replace("\n    ", " ");
    let lines: Vec<_> = shown.lines().collect();
    assert!(
        lines[0].contains(" UTC #1 handled    stream-0, tencent, 5"),
        "{said:?}"
    );
    assert!(
        lines[0].contains("POST /zego/record, application/json, "),
        "{said:?}"
    );
    let rejected = lines.iter().find(|line| line.contains("rejected")).unwrap();
    assert!(
        rejected.contains(" UTC #3 rejected   bad_signature (401)")
            && rejected.contains("ServerSecret"),
        "{said:?}"
    );
    assert_eq!(
        lines.last().unwrap(),
        &"answers: 1 bad_signature, 2 handled"
    );
    assert!(
        said.out.lines().all(|line| line.chars().count() <= 80),
        "{said:?}"
    );
}

#[test]
fn a_wrong_signature_is_explained_and_no_secret_is_told() {
    const SERVER_SECRET: &str = "fedcba9876543210fedcba9876543210";
    let dir = TempDir::new("also");
    fs::write(dir.path("server"), SERVER_SECRET).unwrap();
    fs::write(dir.path("none"), "another-secret-of-sixteen").unwrap();
    let also = format!("server-secret={}", dir.path("server"));
    let listening = Listening::start(&["--json", "--also", &also]);
    let forged = |file: &str| {
        let path = dir.path(file);
        let args = ["--secret-file", &path, "--expect", "rejected"];
        // The control is not delivered, as it is signed with the same secret.
        let sent = listening.send(&args);
        assert_eq!(sent.status, Some(1), "{sent:?}");
    };
    forged("server");
    let said = listening.stop("-INT");
    let lines = lines(&said);
    let found = lines.iter().find(|line| line["kind"] == "diagnosis");
    let found = found.unwrap_or_else(|| panic!("{said:?}"));
    assert_eq!(found["mistakes"][0]["name"], "other_secret", "{found}");
    assert!(
        found["mistakes"][0]["what"]
            .as_str()
            .unwrap()
            .contains("server-secret"),
        "{found}"
    );
    let rejected = lines
        .iter()
        .find(|line| line["request"]["number"] == found["number"]);
    assert_eq!(rejected.unwrap()["verdict"], "bad_signature");
    for secret in [SECRET, SERVER_SECRET] {
        assert!(!said.out.contains(secret) && !said.err.contains(secret));
    }

    let listening = Listening::start(&[]);
    let path = dir.path("none");
    listening.send(&["--secret-file", &path, "--expect", "rejected"]);
    let said = listening.stop("-INT");
    assert!(
        said.out.contains("diagnosis  none of the usual mistakes"),
        "{said:?}"
    );
}

#[test]
fn a_body_of_another_kind_is_named() {
    let listening = Listening::start(&["--json"]);
    let sent = listening.send(&[]);
    assert_eq!(sent.status, Some(0), "{sent:?}");
    let dir = TempDir::new("kind");
    for (number, body) in ["{\"data\":{\"signature\":\"x\"}}", "<xml/>", "{}"]
        .iter()
        .enumerate()
    {
        let saved = dir.path(&format!("{number}"));
        fs::write(format!("{saved}.body"), body).unwrap();
        fs::write(format!("{saved}.headers"), "POST / HTTP/1.1\n").unwrap();
        let said = run(&["resend", &saved, &listening.url]);
        assert_eq!(said.status, Some(1), "{said:?}");
    }
    let shown = lines(&listening.stop("-INT"));
    let mut found: Vec<_> = shown
        .iter()
        .filter(|line| line["kind"] == "diagnosis")
        .map(|line| (line["number"].clone(), line["mistakes"][0]["name"].clone()))
        .collect();
    // They are examined side by side.
    found.sort_by_key(|(number, _)| number.as_u64());
    assert_eq!(
        found,
        [(2.into(), "wrapped".into()), (3.into(), "xml".into())]
    );
}

#[test]
fn saved_requests_can_be_examined_and_sent_again() {
    let dir = TempDir::new("saved");
    let saved = dir.path("captured");
    let listening = Listening::start(&["--json", "--save", &saved, "--save-limit", "2"]);
    let sent = listening.send(&["--count", "3", "--header", "X-Trace: a b"]);
    assert_eq!(sent.status, Some(0), "{sent:?}");
    let shown = lines(&listening.stop("-INT"));
    assert_eq!(shown[0]["request"]["saved"], format!("{saved}/1"));
    assert_eq!(shown[0]["request"]["path"], "/zego/record");
    assert_eq!(shown[0]["request"]["content_type"], "application/json");
    assert_eq!(shown[0]["request"]["body"], Value::Null);
    assert_eq!(
        shown[2]["request"]["not_saved"],
        "the limit of --save is reached"
    );
    let mut files: Vec<_> = fs::read_dir(&saved)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["1.body", "1.headers", "2.body", "2.headers"]);
    #[cfg(unix)]
    for file in &files {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(format!("{saved}/{file}")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{file}");
    }
    let head = fs::read_to_string(format!("{saved}/1.headers")).unwrap();
    assert!(
        head.starts_with("POST /zego/record HTTP/1.1\n") && head.contains("x-trace: a b\n"),
        "{head}"
    );

    let body = format!("{saved}/1.body");
    let said = run(&["verify", &body]);
    assert_eq!(said.status, Some(0), "{said:?}");

    // As it came, and signed anew.
    let app = Server::start(|_, _| Act::Answer(200, "1"));
    let said = run(&["resend", &format!("{saved}/1"), &app.url]);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "200 1\n"));
    let again = &app.received()[0];
    assert_eq!(again.body, fs::read(&body).unwrap());
    assert_eq!(again.headers["x-trace"], "a b");
    assert_eq!(again.content_type, "application/json");
    let said = run(&["send", &app.url, "--body", &body]);
    assert_eq!(said.status, Some(0), "{said:?}");
    let anew = &app.received()[1];
    assert_ne!(anew.body, again.body);

    // A second session goes on where the first has ended.
    let listening = Listening::start(&["--json", "--save", &saved, "--show-body"]);
    listening.send(&[]);
    let shown = lines(&listening.stop("-INT"));
    assert_eq!(shown[0]["request"]["saved"], format!("{saved}/3"));
    assert_eq!(shown[0]["request"]["number"], 3);
    let body = fs::read_to_string(format!("{saved}/3.body")).unwrap();
    assert_eq!(shown[0]["request"]["body"], body);

    let refusing = Server::start(|_, _| Act::Answer(401, "stale"));
    let said = run(&["resend", &format!("{saved}/1.body"), &refusing.url]);
    assert_eq!((said.status, said.out.as_str()), (Some(1), "401 stale\n"));
    let said = run(&["resend", &format!("{saved}/9"), &refusing.url]);
    assert_eq!(said.status, Some(2), "{said:?}");
    assert!(said.err.contains("9.headers"), "{said:?}");
}

#[test]
fn a_genuine_request_is_passed_on_unchanged_and_no_other() {
    let app = Server::start(|number, _| match number {
        1 => Act::Answer(404, "not \u{202e}yet"),
        _ => Act::Answer(204, ""),
    });
    let listening = Listening::start(&["--json", "--forward-to", &app.url]);
    let sent = listening.send(&["--header", "X-Trace: a b", "--wire", "form"]);
    assert_eq!(sent.status, Some(0), "{sent:?}");
    let attempts = &sent.json()["deliveries"][0]["attempts"];
    assert_eq!(attempts[0]["reply"]["answer"]["status"], 404, "{attempts}");
    assert_eq!(attempts[1]["reply"]["answer"]["body"], "1", "{attempts}");
    // A control goes before the forged ones.
    let sent = listening.send(&["--fault", "bad-signature"]);
    assert_eq!(sent.status, Some(0), "{sent:?}");
    let said = listening.stop("-INT");
    assert!(!said.out.contains('\u{202e}'), "{said:?}");
    let shown = lines(&said);
    assert_eq!(shown[0]["forwarded"]["answer"]["status"], 404);
    assert_eq!(
        (&shown[0]["status"], &shown[0]["outcome"]),
        (&404.into(), &"failed".into())
    );
    assert_eq!(shown[1]["forwarded"]["answer"]["status"], 204);
    assert_eq!(
        (&shown[1]["status"], &shown[1]["attempt"]),
        (&200.into(), &2.into())
    );

    let received = app.received();
    assert_eq!(received.len(), 3, "{received:?}");
    assert_eq!(received[0].body, received[1].body);
    assert!(
        received[0].body.starts_with(b"event=record"),
        "{received:?}"
    );
    assert_eq!(received[0].headers["x-trace"], "a b");
    assert_eq!(
        received[0].content_type,
        "application/x-www-form-urlencoded"
    );
    let host = received[0].headers["host"].to_str().unwrap();
    assert_eq!(app.url, format!("http://{host}/zego/record"));
}

#[test]
fn an_app_that_is_not_there_is_a_failure_with_a_reason() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let listening = Listening::start(&["--forward-to", &url]);
    let sent = listening.send(&[]);
    assert_eq!(sent.status, Some(1), "{sent:?}");
    let said = listening.stop("-INT");
    let shown = said.out.replace("\n    ", " ");
    assert!(
        shown.contains("the app answered no connection (")
            && shown.contains("ZEGOCLOUD was answered 500"),
        "{said:?}"
    );
}

#[test]
fn what_is_no_http_is_shown_too() {
    let listening = Listening::start(&["--json"]);
    let address = listening
        .url
        .replace("http://", "")
        .replace("/zego/record", "");
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00garbage\x1b\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ] {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // Until the other side has seen it; how it closes is its choice.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let shown = lines(&listening.stop("-INT"));
    assert_eq!(
        kinds(&shown),
        [
            "connection",
            "connection",
            "connection",
            "connection",
            "totals"
        ]
    );
    for (line, word) in shown
        .iter()
        .zip(["TLS handshake", "HTTP/2", "no HTTP", "no HTTP"])
    {
        assert!(line["problem"].as_str().unwrap().contains(word), "{line}");
        assert!(
            line["peer"].as_str().unwrap().starts_with("127.0.0.1:"),
            "{line}"
        );
    }
}

#[test]
fn options_that_would_do_nothing_are_reported() {
    for args in [
        &["listen", "--times", "2"][..],
        &["listen", "--save-limit", "2"],
        &["listen", "--fail", "100"],
        &[
            "listen",
            "--insecure",
            "--ca",
            "x",
            "--forward-to",
            "https://127.0.0.1:1",
        ],
        &["send", "http://127.0.0.1:1/", "--numbers", "--wire", "form"],
        &["send", "http://127.0.0.1:1/", "--unset", "no_such_field"],
        &["send", "http://127.0.0.1:1/", "--content-type", "é"],
        &["sign", "--wire", "form"],
        &["sign", "--field", "appid=2"],
        &["verify", "--now", "1", "--any-age"],
    ] {
        let said = run(args);
        assert_eq!(
            (said.status, said.out.as_str()),
            (Some(2), ""),
            "{args:?} {said:?}"
        );
    }
    let said = run(&[
        "send",
        "http://127.0.0.1:1/",
        "--insecure",
        "--speed",
        "1000",
    ]);
    assert!(
        said.err
            .contains("--insecure does nothing without an https URL"),
        "{said:?}"
    );
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
    let said = run(&["listen", "--listen", address]);
    assert_eq!(said.status, Some(2), "{said:?}");
    assert!(said.err.contains("choose another --listen"), "{}", said.err);
    let said: Said = zego_record(&["listen"])
        .env("ZEGO_CALLBACK_SECRET", "")
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into();
    assert_eq!(said.status, Some(2), "{said:?}");
    listening.stop("-INT");
}
