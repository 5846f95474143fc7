//! What is rejected at the start, and what is read again while it runs.

use std::process::Output;

use crate::process::{Place, wait_until};
use crate::zegocloud::{SECRET, callback, callback_by, post};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_wrong_configuration_ends_with_2_and_names_the_mistake() {
    let place = Place::new();
    let broken = place.file("broken.pem", "no certificate");
    let short = place.file("token", "short");
    for (args, word) in [
        (&["--forward", "127.0.0.1:8000"][..], "no scheme"),
        (&["--forward", "http://127.0.0.1:99999/"], "impossible port"),
        (&["--retry", "5"], "is no delay"),
        (&["--concurrency", "0"], "--concurrency is 0"),
        (&["--timeout", "0s"], "--timeout is 0"),
        (&["--database", "/tmp"], "is a directory"),
        (&["--keep", "1h"], "at least a day"),
        (&["--keep", "1"], "30d"),
        (&["--path", "zego"], "--path"),
        (&["--path", "/a/:b"], "--path"),
        (&["--path", "/*"], "--path"),
        (&["--path", "/a b"], "--path"),
        (&["--path", "/ü"], "--path"),
        (&["--database", "mysql://x"], "postgres:// URL"),
        (
            &["--database", "missing/directory/z.db"],
            "missing/directory/z.db",
        ),
        (&["--secret-file", "missing"], "missing"),
        (&["--secret-file-for", "1"], "APPID=FILE"),
        (&["--replay-url-host", "10.0.0.1"], "10.0.0.1"),
        (&["--tls-cert", "a.pem"], "--tls-key"),
        (&["--tls-cert", &broken, "--tls-key", &broken], "--tls-key"),
        (
            &["--forward", "https://127.0.0.1/", "--forward-ca", &broken],
            "--forward-ca",
        ),
        (&["--max-connections", "0"], "--max-connections is 0"),
        (&["--listen", "somewhere"], "--listen"),
        (&["--admin-token-file", &short], "20 to 128 characters"),
        (&["--admin-host", "https://x"], "no allowed host"),
    ] {
        let forward = ["--forward", "http://127.0.0.1:9/"];
        let mut all = vec!["serve", "--admin", "127.0.0.1:0"];
        if !args.contains(&"--listen") {
            all.extend(["--listen", "127.0.0.1:0"]);
        }
        if !args.contains(&"--forward") {
            all.extend(forward);
        }
        all.extend(args);
        let output = place.run(&all);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(word), "{args:?}: {}", said(&output));
    }
}

#[test]
fn a_missing_secret_ends_with_2_and_a_secret_is_never_shown() {
    let place = Place::new();
    let start = |variable: &str, value: Option<&str>| {
        let mut command = place.command(&["serve", "--forward", "http://127.0.0.1:9/"]);
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        match value {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
        command.output().unwrap()
    };
    for (variable, value) in [
        ("ZEGO_CALLBACK_SECRET", None),
        ("ZEGO_CALLBACK_SECRET", Some(" hunter2hunter2")),
        ("ZEGO_RECORD_FORWARD_SECRET", None),
        ("ZEGO_RECORD_FORWARD_SECRET", Some("hunter2hunter2")),
    ] {
        let output = start(variable, value);
        assert_eq!(output.status.code(), Some(2), "{variable} {value:?}");
        assert!(said(&output).contains(variable), "{}", said(&output));
        assert!(!said(&output).contains("hunter2"), "{}", said(&output));
    }
}

#[test]
fn a_dry_run_says_what_would_be_run_and_touches_nothing() {
    let place = Place::new();
    let args = ["serve", "--dry-run", "--forward", "http://127.0.0.1:9/x"];
    let output = place.run(&args);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("http://127.0.0.1:9/x"), "{text}");
    let output = place.run(&[&args[..], &["--json"]].concat());
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["database"], "SQLite, zego-record.db");
    assert_eq!(plan["forward"], "http://127.0.0.1:9/x");
    let password = "postgres://app:hunter2@db/zego";
    let output = place.run(&["serve", "--dry-run", "--database", password]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("hunter2"));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn secrets_are_replaced_while_it_runs() {
    let place = Place::new();
    let file = place.file("secret", SECRET);
    let serve = place.serve(&["--secret-file", &file]);
    assert_eq!(post(serve.address, &callback("a")).unwrap().0, 200);
    let new = "another-secret-of-32-characters.";
    assert_eq!(post(serve.address, &callback_by(new, "b")).unwrap().0, 401);
    place.file("secret", new);
    wait_until("the new secret is known", || {
        post(serve.address, &callback_by(new, "b")).unwrap().0 == 200
    });
    assert_eq!(post(serve.address, &callback("c")).unwrap().0, 401);
    // What cannot be used replaces nothing.
    place.file("secret", "");
    serve.signal("-HUP");
    wait_until("the mistake is logged", || {
        serve.log().contains("old callback secrets stay")
    });
    assert_eq!(post(serve.address, &callback_by(new, "d")).unwrap().0, 200);
    assert!(!serve.log().contains(new) && !serve.log().contains(SECRET));
}

#[test]
fn a_secret_of_one_project_speaks_for_no_other() {
    let place = Place::new();
    let secret = "another-secret-of-32-characters.";
    let file = place.file("secret", secret);
    let serve = place.serve(&["--secret-file-for", &format!("42={file}")]);
    for (appid, status) in [("42", 200), ("43", 401)] {
        let request = zego_record_testkit::RequestBuilder::new(secret, crate::zegocloud::now())
            .field("appid", appid)
            .build();
        assert_eq!(post(serve.address, &request).unwrap().0, status, "{appid}");
    }
}

#[test]
fn a_playback_url_that_the_policy_does_not_allow_is_rejected() {
    let place = Place::new();
    let serve = place.serve(&["--replay-url-host", "*.example.org"]);
    let answer = post(serve.address, &callback("a")).unwrap();
    assert_eq!(answer, (422, "replay_url_refused".to_owned()));
}
