//! `inbox` beside a `serve` that runs.

use crate::app::App;
use crate::process::{Place, wait_until};
use crate::zegocloud::{callback, post};

fn keys(place: &Place, args: &[&str]) -> Vec<String> {
    let lines = place.inbox(&[&["--json", "list"], args].concat());
    let key = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["key"].as_str().unwrap().to_owned()
    };
    lines.lines().map(key).collect()
}

#[test]
fn lists_shows_and_exports_what_has_come() {
    let place = Place::new();
    let serve = place.serve(&[]);
    for index in 0..25 {
        post(serve.address, &callback(&format!("stream-{index}"))).unwrap();
    }
    assert_eq!(keys(&place, &[]).len(), 20);
    assert_eq!(keys(&place, &["--limit", "1000"]).len(), 25);
    assert_eq!(keys(&place, &["--stream", "stream-7"]).len(), 1);
    assert_eq!(keys(&place, &["--text", "STREAM-2"]).len(), 6);
    assert_eq!(keys(&place, &["--state", "dead"]).len(), 0);
    assert_eq!(keys(&place, &["--before", "2020-01-01T00:00:00Z"]).len(), 0);
    let table = place.inbox(&["list"]);
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );

    let key = &keys(&place, &["--stream", "stream-7"])[0];
    let shown = place.inbox(&["show", &key[..9]]);
    assert!(
        shown.contains("replay_url=https://vod.example.com/stream-7.mp4"),
        "{shown}"
    );
    let whole = place.inbox_json(&["show", key]);
    assert_eq!(whole["data"]["stream_alias"], "stream-7");
    assert_eq!(whole["fields"]["begin_time"], "1760000000");
    let exported = place.inbox(&["export"]);
    assert_eq!(exported.lines().count(), 25);
    for line in exported.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["fields"].get("signature").is_none());
    }
}

#[test]
fn what_is_no_key_is_named() {
    let place = Place::new();
    let serve = place.serve(&[]);
    post(serve.address, &callback("a")).unwrap();
    for (key, word) in [
        ("1234567", "8 to 64"),
        ("hunter22", "no key"),
        ("00000000", "no callback has the key"),
    ] {
        let output = place.run(&["inbox", "show", key]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{said}");
    }
    let nowhere = place.run(&["inbox", "list", "--database", "missing.db"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(!place.path().join("missing.db").exists());
    let everything = place.run(&["inbox", "discard", "--reason", "x", "--yes"]);
    assert_eq!(
        everything.status.code(),
        Some(2),
        "not everything by mistake"
    );
}

#[test]
fn pauses_discards_erases_and_backs_up_while_it_runs() {
    let (place, app) = (Place::new(), App::content());
    let serve = place.serve(&["--forward", &app.url()]);
    place.inbox(&["pause"]);
    for stream in ["keep", "discard", "erase"] {
        assert_eq!(
            post(serve.address, &callback(stream)).unwrap().0,
            200,
            "while it is paused"
        );
    }
    let key = |stream: &str| keys(&place, &["--stream", stream])[0].clone();
    assert_eq!(
        place.inbox(&["discard", &key("discard"), "--reason", "a test"]),
        "1 discarded\n"
    );
    assert!(
        place
            .inbox(&["show", &key("discard")])
            .contains("discarded since")
    );
    assert_eq!(
        place.inbox(&["erase", &key("erase"), "--yes"]),
        "1 erased\n"
    );
    assert!(keys(&place, &["--stream", "erase"]).is_empty());

    place.inbox(&["backup", "copy.db"]);
    let copied = place.inbox_json(&["stats", "--database", "copy.db"]);
    assert_eq!(
        (&copied["waiting"], &copied["discarded"]),
        (&1.into(), &1.into())
    );
    let again = place.run(&["inbox", "backup", "copy.db"]);
    assert_eq!(again.status.code(), Some(2), "it overwrites nothing");

    assert!(app.requests().is_empty());
    place.inbox(&["resume"]);
    assert_eq!(app.wait_for_count(1)[0].stream(), "keep");
    wait_until("it is done", || place.inbox_json(&["stats"])["done"] == 1);
    assert_eq!(app.requests().len(), 1);
}
