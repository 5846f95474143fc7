//! Disks that fail, as `strace` injects it into a process that this program starts from itself: an
//! error of a write or a sync is reported as unavailable, and nothing that was acknowledged is lost.
//!
//! `strace` is in the Debian package of that name. Without it these tests fail, unless
//! `ZEGO_TEST_SKIP` contains `strace`.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::print_stdout, clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Command;

use common::{Directory, chain, claim, new_callback};
use zego_record_receiver::{
    Accept, Accepted, BoxFuture, ClaimOutcome, DeliveryStore, Settlement, StoreError,
    StoreErrorKind,
};
use zego_record_sqlite::SqliteStore;

const DATABASE: &str = "ZEGO_TEST_DATABASE";
const DELIVERIES: u32 = 60;

const FAILING_SYNC: &str = "fsync,fdatasync:error=EIO:when=20..30";
const FAILING_WRITE: &str = "pwrite64:error=EIO:when=60..70";
const FULL_DISK: &str = "pwrite64:error=ENOSPC:when=60..70";

#[test]
fn a_sync_that_fails_acknowledges_nothing() {
    survives(FAILING_SYNC, "child", is_done);
}

#[test]
fn a_write_that_fails_acknowledges_nothing() {
    survives(FAILING_WRITE, "child", is_done);
}

#[test]
fn a_full_disk_acknowledges_nothing() {
    survives(FULL_DISK, "child", is_done);
}

#[test]
fn a_sync_that_fails_accepts_nothing() {
    survives(FAILING_SYNC, "accepting_child", is_accepted);
}

#[test]
fn a_write_that_fails_accepts_nothing() {
    survives(FAILING_WRITE, "accepting_child", is_accepted);
}

#[test]
fn a_full_disk_accepts_nothing() {
    survives(FULL_DISK, "accepting_child", is_accepted);
}

#[test]
fn what_was_accepted_before_a_kill_in_a_sync_is_there() {
    if is_skipped("SIGKILL") {
        return;
    }
    for sync in [6, 7, 8, 9, 20, 41] {
        let fault = format!("fsync,fdatasync:signal=SIGKILL:when={sync}");
        let run = Run::of("accepting_child", &fault);
        assert!(!run.succeeded, "it was not killed at sync {sync}");
        let done = run.numbers("done");
        assert!(done.len() < DELIVERIES as usize);
        run.verify(&done, is_accepted);
        println!("figures: {fault}: {} acknowledged, none lost", done.len());
    }
}

#[test]
#[ignore = "the process that other tests start"]
fn child() {
    acknowledge_all(&async |store: &SqliteStore, number| {
        let claim = claim(number);
        store.settle(&claim, Settlement::Done).await.map(drop)
    });
}

#[test]
#[ignore = "the process that other tests start"]
fn accepting_child() {
    acknowledge_all(&async |store: &SqliteStore, number| {
        store.accept(&new_callback(number)).await.map(drop)
    });
}

fn acknowledge_all(work: &impl AsyncFn(&SqliteStore, u32) -> Result<(), StoreError>) {
    let store = SqliteStore::open(std::env::var(DATABASE).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for number in 0..DELIVERIES {
        match runtime.block_on(work(&store, number)) {
            Ok(()) => println!("\ndone {number}"),
            Err(error) => {
                let text = chain(&error);
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{text}");
                println!("\nunavailable {number}");
                println!("\n{text}");
            }
        }
    }
}

fn is_done(store: &SqliteStore, number: u32) -> BoxFuture<'_, bool> {
    Box::pin(async move {
        let outcome = store.claim(&claim(number)).await.unwrap();
        outcome == ClaimOutcome::Done
    })
}

fn is_accepted(store: &SqliteStore, number: u32) -> BoxFuture<'_, bool> {
    Box::pin(async move {
        let accepted = store.accept(&new_callback(number)).await.unwrap();
        accepted == Accepted::Known
    })
}

fn survives(fault: &str, child: &str, is_there: fn(&SqliteStore, u32) -> BoxFuture<'_, bool>) {
    if is_skipped(fault) {
        return;
    }
    let run = Run::of(child, fault);
    assert!(run.succeeded, "{}", run.said);
    let injected = run.log().matches("(INJECTED)").count();
    assert!(injected > 0, "the fault was not injected");
    let (done, unavailable) = (run.numbers("done"), run.numbers("unavailable"));
    assert!(!unavailable.is_empty(), "the fault was not reported");
    if fault == FULL_DISK {
        assert!(run.said.contains("make room"), "{}", run.said);
    }
    assert_eq!(done.len() + unavailable.len(), DELIVERIES as usize);
    assert_eq!(
        done.last(),
        Some(&(DELIVERIES - 1)),
        "the store has not recovered"
    );
    run.verify(&done, is_there);
    println!(
        "figures: {fault}: {injected} injected, {} acknowledged, {} unavailable, none lost",
        done.len(),
        unavailable.len()
    );
}

fn is_skipped(fault: &str) -> bool {
    let skip = std::env::var("ZEGO_TEST_SKIP").unwrap_or_default();
    let is_skipped = skip.split(',').any(|skip| skip == "strace");
    if is_skipped {
        println!("skipped, as ZEGO_TEST_SKIP says: {fault}");
    }
    is_skipped
}

/// A child that has run with a fault.
struct Run {
    directory: Directory,
    succeeded: bool,
    said: String,
}

impl Run {
    fn of(child: &str, fault: &str) -> Self {
        let directory = Directory::new();
        drop(directory.open());
        let output = Command::new("strace")
            .args(["-f", "-qq", "-e", "trace=pwrite64,fsync,fdatasync", "-e"])
            .arg(format!("inject={fault}"))
            .arg("-o")
            .arg(directory.database().with_extension("strace"))
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", child, "--nocapture"])
            .env(DATABASE, directory.database())
            .output()
            .expect(
                "strace is missing: install the Debian package strace, or set ZEGO_TEST_SKIP=strace",
            );
        let mut said = String::from_utf8(output.stdout).unwrap();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        Self {
            directory,
            succeeded: output.status.success(),
            said,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.database().with_extension("strace")).unwrap()
    }

    /// The numbers in lines that begin with a word.
    fn numbers(&self, word: &str) -> Vec<u32> {
        let lines = self.said.lines();
        lines
            .filter_map(|line| line.strip_prefix(word))
            .map(|number| number.trim().parse().unwrap())
            .collect()
    }

    /// What was acknowledged is there, and the file is whole.
    fn verify(&self, done: &[u32], is_there: fn(&SqliteStore, u32) -> BoxFuture<'_, bool>) {
        let store = self.directory.open();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for number in done {
            let is_there = runtime.block_on(is_there(&store, *number));
            assert!(is_there, "{number} is lost");
        }
        let integrity: String = self
            .directory
            .connection()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(integrity, "ok");
    }
}
