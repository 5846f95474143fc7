//! `sign`, `verify` and the command line itself, as processes.

#![allow(clippy::unwrap_used)]

mod common;

use std::process::{Command, Stdio};

use common::{Act, SECRET, Said, Server, TempDir, TempFile, run, run_with_input, zego_record};

const PUBLISHED: &str = "5bd59fd62953a8059fb7eaba95720f66d19e4517";

fn sign_body(args: &[&str]) -> String {
    let mut all = vec!["sign", "--json", "--curl", "http://127.0.0.1:1/"];
    all.extend(args);
    let curl = run(&all).json()["curl"].as_str().unwrap().to_owned();
    let (_, rest) = curl.split_once("--data-binary '").unwrap();
    rest.split_once("' ").unwrap().0.to_owned()
}

#[test]
fn the_published_vector_is_signed() {
    let args = ["sign", "--timestamp", "1470820198", "--nonce", "123412"];
    let said: Said = zego_record(&args)
        .env("ZEGO_CALLBACK_SECRET", "secret")
        .output()
        .unwrap()
        .into();
    let expected = format!("timestamp=1470820198\nnonce=123412\nsignature={PUBLISHED}\n");
    assert_eq!(
        (said.status, said.out, said.err),
        (Some(0), expected, String::new())
    );

    let file = TempFile::new("sign-secret", "secret\r\n");
    let args = [&args[..], &["--json", "--secret-file", file.path()]].concat();
    let json = run(&args).json();
    assert_eq!(json["signature"], PUBLISHED, "{json}");
    assert!(json["curl"].is_null(), "{json}");
}

#[test]
fn a_secret_on_the_command_line_works_with_a_warning() {
    let args = [
        "sign",
        "--timestamp",
        "1470820198",
        "--nonce",
        "123412",
        "--secret",
        "hunter2",
    ];
    let said = run(&args);
    assert_eq!(said.status, Some(0));
    assert!(said.out.contains("signature="), "{said:?}");
    assert!(said.err.contains("warning: every user"), "{said:?}");
    assert!(!said.err.contains("hunter2"), "{said:?}");
}

#[test]
fn timestamp_and_nonce_are_fresh_unless_given() {
    let (first, second) = (
        run(&["sign", "--json"]).json(),
        run(&["sign", "--json"]).json(),
    );
    assert_ne!(first["nonce"], second["nonce"]);
    let timestamp: u64 = first["timestamp"].as_str().unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    assert!(now.unwrap().as_secs() - timestamp < 60);
}

#[test]
fn what_sign_makes_verify_accepts_in_every_form() {
    for wire in ["json", "form", "urlencoded"] {
        for vendor in ["tencent", "wangsu", "huawei", "aliyun"] {
            let body = sign_body(&[
                "--wire",
                wire,
                "--vendor",
                vendor,
                "--field",
                "stream_alias=it is",
            ]);
            let said = run_with_input(zego_record(&["verify", "--json"]), body.as_bytes());
            assert_eq!(said.status, Some(0), "{body}: {said:?}");
            let json = said.json();
            assert_eq!(json["accepted"], true, "{json}");
            assert_eq!(json["event"]["stream_alias"], "it is", "{json}");
            let expected = if vendor == "aliyun" {
                serde_json::Value::Null
            } else {
                vendor.into()
            };
            assert_eq!(json["event"]["vendor"], expected, "{json}");
        }
    }
}

#[test]
fn the_curl_command_can_be_pasted_into_a_shell() {
    let server = Server::start(|_, _| Act::Answer(200, "1"));
    for wire in ["json", "form", "urlencoded"] {
        let said = run(&[
            "sign",
            "--curl",
            &server.url,
            "--wire",
            wire,
            "--field",
            "stream_alias=it's $HOME",
        ]);
        assert_eq!((said.status, said.err.as_str()), (Some(0), ""), "{said:?}");
        let output: Said = Command::new("sh")
            .arg("-c")
            .arg(&said.out)
            .output()
            .unwrap()
            .into();
        assert_eq!(output.status, Some(0), "{output:?}");
        let received = server.received().pop().unwrap();
        assert_eq!(
            (received.method.as_str(), received.target.as_str()),
            ("POST", "/zego/record")
        );
        let verified = run_with_input(zego_record(&["verify", "--json"]), &received.body).json();
        assert_eq!(
            verified["event"]["stream_alias"], "it's $HOME",
            "{verified}"
        );
    }
}

#[test]
fn a_pasted_server_secret_is_found_and_neither_secret_is_told() {
    const SERVER_SECRET: &str = "fedcba9876543210fedcba9876543210";
    let file = TempFile::new("server-secret", format!("{SERVER_SECRET}\n"));
    let body = TempFile::new("body", sign_body(&["--secret-file", file.path()]));
    let also = format!("server-secret={}", file.path());
    let said = run(&["verify", body.path(), "--also", &also]);
    assert_eq!((said.status, said.err.as_str()), (Some(1), ""), "{said:?}");
    assert!(
        said.out.contains("rejected: bad_signature (401)"),
        "{said:?}"
    );
    assert!(
        said.out
            .contains("mistake: the signature was made with server-secret"),
        "{said:?}"
    );
    assert!(
        said.out
            .contains("fix: configure the project's CallbackSecret"),
        "{said:?}"
    );
    assert!(
        !said.out.contains(SECRET) && !said.out.contains(SERVER_SECRET),
        "{said:?}"
    );
    assert!(
        !said.out.contains('\u{1b}'),
        "no colours in a pipe: {said:?}"
    );

    let said: Said = zego_record(&["verify", "--json", body.path(), "--also", "x=env:OTHER"])
        .env("OTHER", SERVER_SECRET)
        .output()
        .unwrap()
        .into();
    assert_eq!(said.json()["mistakes"][0]["name"], "other_secret");
}

#[test]
fn an_old_capture_is_read_at_its_own_time() {
    let body = sign_body(&["--timestamp", "1760001893"]);
    for (args, status, verdict) in [
        (&[][..], 1, "stale"),
        (&["--now", "1760001893"], 0, "accepted"),
        (&["--now", "1750000000"], 1, "future"),
        (&["--any-age"], 0, "accepted"),
    ] {
        let args = [&["verify", "-", "--json"], args].concat();
        let said = run_with_input(zego_record(&args), body.as_bytes());
        assert_eq!(said.status, Some(status), "{args:?} {said:?}");
        assert_eq!(said.json()["verdict"], verdict, "{args:?}");
    }
}

#[test]
fn an_accepted_callback_is_shown_to_people_too() {
    let body = sign_body(&[
        "--field",
        "note=\u{1b}[31mred",
        "--field",
        "stream_alias=lesson 7",
    ]);
    let said = run_with_input(zego_record(&["verify"]), body.as_bytes());
    assert_eq!(said.status, Some(0), "{said:?}");
    for text in [
        "accepted (200), json\n",
        "stream        lesson 7",
        "vendor        tencent",
    ] {
        assert!(said.out.contains(text), "{text}: {}", said.out);
    }
    assert!(
        !said.out.contains('\u{1b}'),
        "a peer's escape sequence came through: {said:?}"
    );
}

#[test]
fn wrong_usage_and_configuration_are_2_with_the_whole_chain() {
    let empty = TempFile::new("empty", "\n");
    let bad_also = ["verify", "--also", "hunter2"];
    for (args, words) in [
        (
            &["sign", "--secret-file", "/nonexistent"][..],
            &["cannot read the secret file /nonexistent", "No such file"][..],
        ),
        (
            &["sign", "--secret-file", empty.path()],
            &["cannot be used", "the callback secret is empty"],
        ),
        (
            &["verify", "/nonexistent"],
            &["cannot read the body from /nonexistent", "No such file"],
        ),
        (&bad_also, &["--also", "NAME=FILE"]),
        (
            &["send", "http://127.0.0.1:99999/"],
            &["impossible port", "65535"],
        ),
        (
            &["send", "example.com"],
            &["no scheme", "http://example.com"],
        ),
        (
            &["send", "http://127.0.0.1:1/", "--speed", "0"],
            &["--speed must be positive"],
        ),
        (
            &["send", "http://127.0.0.1:1/", "--rate", "0"],
            &["--rate must be"],
        ),
        (
            &["send", "http://127.0.0.1:1/", "--timeout", "0"],
            &["--timeout must be"],
        ),
        (
            &["send", "http://127.0.0.1:1/", "--fault", "x"],
            &["no such fault", "drop-answer"],
        ),
        (
            &["send", "http://127.0.0.1:1/", "--count", "0"],
            &["--count"],
        ),
        (
            &["send", "http://127.0.0.1:1/", "--body", "/nonexistent"],
            &["cannot read the body /nonexistent"],
        ),
        (
            &["sign", "--secret", "x", "--secret-file", "y"],
            &["cannot be used with"],
        ),
        (&["frobnicate"], &["frobnicate"]),
        (&[], &["Usage"]),
    ] {
        let said = run(args);
        assert_eq!(
            (said.status, said.out.as_str()),
            (Some(2), ""),
            "{args:?} {said:?}"
        );
        for word in words {
            assert!(
                said.err.contains(word),
                "{args:?} lacks {word:?}: {}",
                said.err
            );
        }
        assert!(
            !said.err.contains("hunter2"),
            "a pasted secret is repeated: {said:?}"
        );
    }
    let said: Said = zego_record(&["sign"])
        .env_remove("ZEGO_CALLBACK_SECRET")
        .output()
        .unwrap()
        .into();
    assert_eq!(said.status, Some(2));
    assert!(
        said.err
            .starts_with("error: the environment variable ZEGO_CALLBACK_SECRET is not set"),
        "{said:?}"
    );
}

#[test]
fn help_and_version_are_results() {
    for (args, word) in [
        (&["--help"][..], "Example"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["send", "--help"], "zego-record send http"),
        (&["help", "verify"], "zego-record verify"),
    ] {
        let said = run(args);
        assert_eq!((said.status, said.err.as_str()), (Some(0), ""), "{said:?}");
        assert!(
            said.out.contains(word) && !said.out.contains(SECRET),
            "{said:?}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error_to_complain_about() {
    let mut command = zego_record(&["verify"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    // It has nothing to say before its input has ended, and then nobody listens any more.
    drop(child.stdin.take());
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!(said.err, "");
}

#[test]
fn shells_and_man_know_every_command_and_option() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = run(&["completions", shell]);
        assert_eq!((said.status, said.err.as_str()), (Some(0), ""), "{said:?}");
        for word in ["resend", "forward-to", "junit"] {
            assert!(said.out.contains(word), "{shell} lacks {word}");
        }
    }
    // A script that bash itself cannot read would be of no use.
    let script = TempFile::new("completions", run(&["completions", "bash"]).out);
    let read = Command::new("bash").arg("-n").arg(script.path()).output();
    assert!(read.unwrap().status.success());

    let dir = TempDir::new("man");
    let pages = dir.path("pages/man1");
    let said = run(&["man", &pages]);
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""), "{said:?}");
    let page = |name: &str| std::fs::read_to_string(format!("{pages}/{name}")).unwrap();
    assert!(page("zego-record.1").contains("zego\\-record\\-check"));
    assert!(page("zego-record-check.1").contains("\\-\\-runs\\-url"));
    assert!(page("zego-record-listen.1").contains("zego\\-record resend captured/1"));
    let said = run(&["man", script.path()]);
    assert_eq!(said.status, Some(2), "{said:?}");
}
