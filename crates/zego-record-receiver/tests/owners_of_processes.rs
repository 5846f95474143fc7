//! Owners of claims differ between processes that start alike, and between their threads.
//!
//! The processes are started and not forked, which takes `unsafe` code: `owners.rs` looks for what a
//! forked child would inherit.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use std::collections::HashSet;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::{env, thread};

use common::{Runs, builder, receive_counted, request};
use faulty::Faulty;

const PROCESSES: usize = 4;
const THREADS: usize = 4;
const CLAIMS: usize = 25;

/// Before each owner, among what the test harness prints.
const MARK: &str = "owner ";

/// The owners of the claims of several threads, each with a runtime and a receiver of its own.
fn owners() -> Vec<u128> {
    let threads: Vec<_> = (0..THREADS)
        .map(|_| thread::spawn(owners_of_a_thread))
        .collect();
    let owners = threads.into_iter().map(|thread| thread.join().unwrap());
    owners.flatten().collect()
}

fn owners_of_a_thread() -> Vec<u128> {
    let store = Faulty::new();
    let receiver = builder().store(Arc::clone(&store)).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for number in 0..CLAIMS {
            let callback = request(&format!("lesson-{number}"));
            receive_counted(&receiver, &callback, &Runs::default()).await;
        }
    });
    store.owners()
}

fn start_process() -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "prints_its_owners", "--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn no_two_threads_of_any_process_claim_as_the_same_owner() {
    let processes: Vec<_> = (0..PROCESSES).map(|_| start_process()).collect();
    let mut all = owners();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success());
        let output = String::from_utf8(output.stdout).unwrap();
        let owners = output.split(MARK).skip(1).map(|owner| {
            let digits = owner.split_whitespace().next().unwrap();
            digits.parse::<u128>().unwrap()
        });
        all.extend(owners);
    }
    assert_eq!(all.len(), (1 + PROCESSES) * THREADS * CLAIMS);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}

#[test]
#[ignore = "the test beside it starts processes that run it"]
fn prints_its_owners() {
    for owner in owners() {
        println!("{MARK}{owner}");
    }
}
