//! One file, several handles and several processes.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use common::{Directory, check, claim};
use zego_record_receiver::{Binding, ClaimOutcome, DeliveryStore, ReplayGuard};
use zego_record_sqlite::SqliteStore;

const DATABASE: &str = "ZEGO_TEST_DATABASE";
const KEYS: u32 = 300;
const HANDLES: usize = 4;
const TASKS: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn four_handles_have_one_winner_for_each_key() {
    let directory = Directory::new();
    let handles: Vec<_> = (0..HANDLES).map(|_| directory.open()).collect();
    let (won, lost) = race(&handles).await;
    assert_eq!(won, (0..KEYS).map(|key| (key, 1)).collect());
    assert_eq!(lost, KEYS as usize * (TASKS - 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_have_one_winner_for_each_key() {
    let directory = Directory::new();
    let children: Vec<_> = (0..2)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "child", "--nocapture"])
                .env(DATABASE, directory.database())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let handles = [directory.open(), directory.open()];
    let (mut won, _) = race(&handles).await;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let output = String::from_utf8(output.stdout).unwrap();
        for key in output.lines().filter_map(|line| line.strip_prefix("won ")) {
            *won.entry(key.parse().unwrap()).or_default() += 1;
        }
    }
    assert_eq!(won, (0..KEYS).map(|key| (key, 1)).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_bound_once() {
    let directory = Directory::new();
    let handles: Vec<_> = (0..HANDLES).map(|_| directory.open()).collect();
    for number in 0..KEYS {
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let store = handles[task % HANDLES].clone();
                let check = check(number, u8::try_from(task).unwrap());
                tokio::spawn(async move { store.bind(&check).await.unwrap() })
            })
            .collect();
        let mut first = 0;
        for task in tasks {
            first += usize::from(task.await.unwrap() == Binding::First);
        }
        assert_eq!(first, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the other tests start"]
async fn child() {
    let store = SqliteStore::builder(std::env::var(DATABASE).unwrap())
        .timeout(std::time::Duration::from_secs(60))
        .open()
        .unwrap();
    let (won, _) = race(&[store]).await;
    for key in won.keys() {
        println!("\nwon {key}");
    }
}

/// Claims each key by 32 tasks; which were won how often, and how many claims found it busy.
async fn race(handles: &[SqliteStore]) -> (BTreeMap<u32, u32>, usize) {
    let tasks: Vec<_> = (0..KEYS)
        .flat_map(|key| (0..TASKS).map(move |task| (key, task)))
        .map(|(key, task)| {
            let store = handles[task % handles.len()].clone();
            tokio::spawn(async move { (key, store.claim(&claim(key)).await.unwrap()) })
        })
        .collect();
    let (mut won, mut lost) = (BTreeMap::new(), 0);
    for task in tasks {
        match task.await.unwrap() {
            (key, ClaimOutcome::Run(_)) => *won.entry(key).or_default() += 1,
            (_, ClaimOutcome::Busy) => lost += 1,
            (key, outcome) => panic!("{outcome:?} for {key}"),
        }
    }
    (won, lost)
}
