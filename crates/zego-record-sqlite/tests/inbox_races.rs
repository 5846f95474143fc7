//! One inbox, several handles and several processes.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use common::{Directory, claim_due, new_callback, settle};
use zego_record_inbox::{InboxStore, Next};
use zego_record_receiver::{Accept, Accepted};
use zego_record_sqlite::SqliteStore;

const DATABASE: &str = "ZEGO_TEST_DATABASE";
const CALLBACKS: u32 = 60;
const HANDLES: usize = 4;
const TASKS: usize = 32;

/// How often each callback was new, and how often each was done by whom.
type Counts = BTreeMap<u32, u32>;

#[tokio::test(flavor = "multi_thread")]
async fn four_handles_accept_and_claim_each_callback_once() {
    let directory = Directory::new();
    let handles: Vec<_> = (0..HANDLES).map(|_| directory.open()).collect();
    let new = accept_all(&handles).await;
    assert_eq!(new, once());
    let done = work_all(&handles).await;
    assert_eq!(done, once());
    assert_eq!(handles[0].stats().await.unwrap().done, u64::from(CALLBACKS));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_accept_and_claim_each_callback_once() {
    let directory = Directory::new();
    drop(directory.open());
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
    let mut new = accept_all(&handles).await;
    let mut done = work_all(&handles).await;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let output = String::from_utf8(output.stdout).unwrap();
        for line in output.lines() {
            let (counts, number) = match line.split_once(' ') {
                Some(("new", number)) => (&mut new, number),
                Some(("done", number)) => (&mut done, number),
                _ => continue,
            };
            *counts.entry(number.parse().unwrap()).or_default() += 1;
        }
    }
    assert_eq!(new, once());
    assert_eq!(done, once());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the other tests start"]
async fn child() {
    let store = SqliteStore::builder(std::env::var(DATABASE).unwrap())
        .timeout(std::time::Duration::from_secs(60))
        .open()
        .unwrap();
    let handles = [store];
    for number in accept_all(&handles).await.keys() {
        println!("\nnew {number}");
    }
    for (number, count) in work_all(&handles).await {
        (0..count).for_each(|_| println!("\ndone {number}"));
    }
}

fn once() -> Counts {
    (0..CALLBACKS).map(|number| (number, 1)).collect()
}

/// Accepts each callback by 32 tasks.
async fn accept_all(handles: &[SqliteStore]) -> Counts {
    let tasks: Vec<_> = (0..CALLBACKS)
        .flat_map(|number| (0..TASKS).map(move |task| (number, task)))
        .map(|(number, task)| {
            let store = handles[task % handles.len()].clone();
            tokio::spawn(
                async move { (number, store.accept(&new_callback(number)).await.unwrap()) },
            )
        })
        .collect();
    let mut new = Counts::new();
    for task in tasks {
        match task.await.unwrap() {
            (number, Accepted::New) => *new.entry(number).or_default() += 1,
            (_, Accepted::Known) => {}
            (number, accepted) => panic!("{accepted:?} for {number}"),
        }
    }
    new
}

/// Claims by 32 tasks until nothing is due. All callbacks must have been accepted.
async fn work_all(handles: &[SqliteStore]) -> Counts {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = handles[task % handles.len()].clone();
            tokio::spawn(async move {
                let mut done = Vec::new();
                loop {
                    let claimed = claim_due(&store, fastrand::u128(..), 3).await;
                    if claimed.is_empty() {
                        return done;
                    }
                    for claimed in claimed {
                        settle(&store, &claimed.hold, Next::Done, "").await;
                        done.push(number(&claimed));
                    }
                }
            })
        })
        .collect();
    let mut done = Counts::new();
    for task in tasks {
        for number in task.await.unwrap() {
            *done.entry(number).or_default() += 1;
        }
    }
    done
}

fn number(claimed: &zego_record_inbox::Claimed) -> u32 {
    common::number_of(&claimed.callback.restore().unwrap())
}
