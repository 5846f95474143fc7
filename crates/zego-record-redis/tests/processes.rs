//! Several processes, and processes and servers that are killed: nothing that was acknowledged is lost.
//!
//! This program starts itself as the other process.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{claim, is_run, open};
use tokio::task::JoinSet;
use zego_record_receiver::{
    Binding, ClaimOutcome, DeliveryStore, ReplayCheck, ReplayGuard, Settled, Settlement, StoreError,
};
use zego_record_redis::RedisStore;
use zego_record_test_servers::Redis;

const URL: &str = "ZEGO_TEST_URL";
const PREFIX: &str = "ZEGO_TEST_PREFIX";
const FIRST: &str = "ZEGO_TEST_FIRST";
const KEYS: u64 = 300;
const TASKS: usize = 16;
/// How many deliveries a process handles at once, and at most.
const IN_FLIGHT: usize = 4;
const MOST: u64 = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_both_win() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    let mut other = start("racer", server, &prefix, 0);
    assert_eq!(read(&mut other, 1), [Acknowledged::Ready]);
    other.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let mut won = race(&store).await;
    let theirs = read(&mut other, usize::MAX);
    assert!(other.wait().unwrap().success());
    won.extend(theirs.iter().map(|won| match won {
        Acknowledged::Done(number) => *number,
        odd => panic!("{odd:?}"),
    }));
    won.sort_unstable();
    assert_eq!(won, (0..KEYS).collect::<Vec<_>>());
}

/// The keys that this process has won, one after the other.
async fn race(store: &RedisStore) -> Vec<u64> {
    let mut won = Vec::new();
    for number in 0..KEYS {
        let mut race = JoinSet::new();
        for _ in 0..TASKS {
            let store = store.clone();
            race.spawn(async move { store.claim(&claim(number)).await.unwrap() });
        }
        let outcomes = race.join_all().await;
        won.extend(
            outcomes
                .iter()
                .filter(|outcome| is_run(outcome))
                .map(|_| number),
        );
    }
    won
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that another test starts"]
async fn racer() {
    let store = open_from_environment().await;
    say("ready 0");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    for number in race(&store).await {
        say(&format!("done {number}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_loses_nothing_that_it_has_acknowledged() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    let mut all = Vec::new();
    for life in 0..20 {
        let mut child = start("child", server, &prefix, life * MOST);
        let mut acknowledged = read(&mut child, random.usize(1..200));
        child.kill().unwrap();
        acknowledged.extend(read(&mut child, usize::MAX));
        child.wait().unwrap();
        verify(&store, &acknowledged).await;
        all.extend(acknowledged);
    }
    verify(&store, &all).await;
    println!("figures: 20 kills, {} acknowledged, none lost", all.len());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that another test starts"]
async fn child() {
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let store = open_from_environment().await;
    let mut tasks = JoinSet::new();
    for task in (0..).take(IN_FLIGHT) {
        let store = store.clone();
        tasks.spawn(async move {
            for number in (first + task..first + MOST).step_by(IN_FLIGHT) {
                handle(&store, number, |what| match what {
                    Acknowledged::Bound(number) => say(&format!("bound {number}")),
                    Acknowledged::Done(number) => say(&format!("done {number}")),
                    Acknowledged::Ready => {}
                })
                .await
                .unwrap();
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_keeps_what_it_has_acknowledged() {
    // With `everysec`, a kill loses what was not written yet while an earlier write was being synced.
    let Some(server) = Redis::start(&["appendfsync=always"]) else {
        return;
    };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let store = open(&server, "a").await;
    let mut all = Vec::new();
    let mut failed = 0;
    for life in 0..10 {
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let (more, mut enough) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for task in (0..).take(IN_FLIGHT) {
            let (store, acknowledged) = (store.clone(), Arc::clone(&acknowledged));
            let more = more.clone();
            tasks.spawn(async move {
                let first = life * MOST + task;
                for number in (first..).step_by(IN_FLIGHT) {
                    let say = |what| {
                        acknowledged.lock().unwrap().push(what);
                        let _ = more.send(());
                    };
                    if handle(&store, number, say).await.is_err() {
                        break;
                    }
                }
            });
        }
        for _ in 0..random.usize(1..300) {
            enough.recv().await.unwrap();
        }
        server.kill();
        failed += tasks.join_all().await.len();
        server.resume();
        all.append(&mut acknowledged.lock().unwrap());
        verify(&store, &all).await;
    }
    println!(
        "figures: 10 kills, {failed} steps failed, {} acknowledged, none lost",
        all.len()
    );
}

/// What was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Acknowledged {
    Ready,
    Bound(u64),
    Done(u64),
}

async fn handle(
    store: &RedisStore,
    number: u64,
    say: impl Fn(Acknowledged),
) -> Result<(), StoreError> {
    let bound = store.bind(&check(number, 1)).await?;
    assert_eq!(bound, Binding::First);
    say(Acknowledged::Bound(number));
    let claim = claim(number);
    assert!(is_run(&store.claim(&claim).await?));
    let settled = store.settle(&claim, Settlement::Done).await?;
    assert_eq!(settled, Settled::Applied);
    say(Acknowledged::Done(number));
    Ok(())
}

async fn verify(store: &RedisStore, acknowledged: &[Acknowledged]) {
    for what in acknowledged {
        match *what {
            Acknowledged::Ready => {}
            Acknowledged::Bound(number) => {
                let binding = store.bind(&check(number, 2)).await.unwrap();
                assert_eq!(binding, Binding::Conflict, "{what:?} is lost");
            }
            Acknowledged::Done(number) => {
                let outcome = store.claim(&claim(number)).await.unwrap();
                assert_eq!(outcome, ClaimOutcome::Done, "{what:?} is lost");
            }
        }
    }
}

fn check(number: u64, content: u8) -> ReplayCheck {
    let mut signature = [0; 20];
    signature[..8].copy_from_slice(&number.to_be_bytes());
    ReplayCheck::new(signature, [content; 16], Duration::from_secs(3_600))
}

/// One write for each line, so that a line is there as a whole or not at all.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn start(test: &str, server: &Redis, prefix: &str, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test, "--nocapture"])
        .env(URL, server.url())
        .env(PREFIX, prefix)
        .env(FIRST, first.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn open_from_environment() -> RedisStore {
    let (url, prefix) = (std::env::var(URL), std::env::var(PREFIX));
    let builder = common::builder(&prefix.unwrap());
    builder.connect(&url.unwrap()).await.unwrap()
}

/// What a process says, until it ends or has said enough.
fn read(child: &mut Child, most: usize) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    let mut out = BufReader::with_capacity(1, child.stdout.as_mut().unwrap());
    let mut line = String::new();
    while acknowledged.len() < most && out.read_line(&mut line).unwrap() > 0 {
        let (kind, number) = line.trim_end().split_once(' ').unwrap_or_default();
        match (kind, number.parse()) {
            ("ready", Ok(_)) => acknowledged.push(Acknowledged::Ready),
            ("bound", Ok(number)) => acknowledged.push(Acknowledged::Bound(number)),
            ("done", Ok(number)) => acknowledged.push(Acknowledged::Done(number)),
            _ => {}
        }
        line.clear();
    }
    acknowledged
}
