//! `check` against receivers in Python, good ones and ones with a seeded bug each.
//!
//! They need `python3`, and are skipped, visibly, if `ZEGO_TEST_SKIP` contains `python`. Retries are 200 times as
//! fast as ZEGOCLOUD's; on the real schedule, which takes some minutes:
//!
//! ```text
//! ZEGO_TEST_SPEED=1 cargo test -p zego-record-cli --test python -- --nocapture
//! ```

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;

use common::{SECRET, Said, run};
use serde_json::Value;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/receivers.py");

/// The number of receivers that run at once: most of the time they wait.
const AT_ONCE: usize = 12;

fn is_skipped() -> bool {
    let skip = std::env::var("ZEGO_TEST_SKIP").unwrap_or_default();
    let skipped = skip.split(',').any(|name| name.trim() == "python");
    if skipped {
        println!("skipped by ZEGO_TEST_SKIP: a test that needs python");
    }
    skipped
}

fn python(argument: &str) -> Child {
    Command::new("python3")
        .args([SCRIPT, argument])
        .env("ZEGO_CALLBACK_SECRET", SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("python3 cannot be run ({error}): run ./test, or set ZEGO_TEST_SKIP=python")
        })
}

/// Each receiver's name, and the promise that it breaks.
fn receivers() -> Vec<(String, String)> {
    let said: Said = python("--list").wait_with_output().unwrap().into();
    let lines = said.out.lines().map(|line| {
        let (name, breaks) = line.split_once(' ').unwrap();
        (name.to_owned(), breaks.to_owned())
    });
    lines.collect()
}

/// Checks one receiver, which ends when this does.
fn check(name: &str, speed: &str) -> Said {
    let mut child = python(name);
    let mut port = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut port).unwrap();
    let url = format!("http://127.0.0.1:{}", port.trim());
    let said = run(&[
        "check",
        &format!("{url}/zego/record"),
        "--runs-url",
        &format!("{url}/runs"),
        "--json",
        "--speed",
        speed,
        "--patience",
        "2",
    ]);
    drop(child.stdin.take());
    child.wait().unwrap();
    said
}

fn failed(report: &Value) -> Vec<&str> {
    let promises = report["promises"].as_array().unwrap().iter();
    let failed = promises.filter(|promise| promise["outcome"] == "failed");
    failed
        .map(|promise| promise["name"].as_str().unwrap())
        .collect()
}

#[test]
fn every_seeded_bug_is_found_and_none_in_a_good_receiver() {
    if is_skipped() {
        return;
    }
    let speed = std::env::var("ZEGO_TEST_SPEED").unwrap_or_else(|_| "200".to_owned());
    let all = receivers();
    let (good, bad): (Vec<_>, Vec<_>) = all.iter().partition(|(_, breaks)| breaks == "nothing");
    assert!(good.len() >= 4 && bad.len() >= 30, "{all:?}");
    let names: HashSet<_> = all.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), all.len(), "{all:?}");

    let left = Mutex::new(all.iter());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((name, breaks)) = left.lock().unwrap().next() else {
                        return;
                    };
                    let said = check(name, &speed);
                    let report = said.json();
                    let failed = failed(&report);
                    println!("{name}: {failed:?}");
                    let is_right = if breaks == "nothing" {
                        said.status == Some(0) && failed.is_empty()
                    } else {
                        said.status == Some(1) && failed.contains(&breaks.as_str())
                    };
                    if !is_right {
                        let text = format!("{name} breaks {breaks}: {report}");
                        wrong.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
