//! Processes that are killed at every place and at random: nothing that was acknowledged is lost.
//!
//! This program starts itself as the process that is killed.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{Directory, check, claim, recording};
use zego_record_receiver::{
    Binding, ClaimOutcome, DeliveryStore, ReplayGuard, Settled, Settlement, StoreError,
};
use zego_record_sqlite::rusqlite::{Connection, Transaction};
use zego_record_sqlite::{Recorded, SqliteStore};

const DATABASE: &str = "ZEGO_TEST_DATABASE";
const FIRST: &str = "ZEGO_TEST_FIRST";
const FAILPOINT: &str = "ZEGO_SQLITE_FAILPOINT";
/// How many deliveries a child handles at once, and at most.
const IN_FLIGHT: u32 = 4;
const MOST: u32 = 100_000;

/// What a child has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Acknowledged {
    Bound(u32),
    Done(u32),
}

#[test]
fn loses_nothing_when_killed_at_a_failpoint() {
    for place in [
        "before_begin",
        "before_commit",
        "after_commit",
        "before_answer",
    ] {
        let directory = Directory::new();
        for (life, number) in (0..).zip([1, 2, 7, 20]) {
            let mut child = start(
                &directory.database(),
                life * MOST,
                &format!("{place}:{number}"),
            );
            let acknowledged = read(&mut child, usize::MAX);
            let status = child.wait().unwrap();
            assert!(!status.success(), "{place} was not reached");
            verify(&directory.database(), &acknowledged);
        }
    }
}

#[test]
fn loses_nothing_when_killed_while_it_creates_its_tables() {
    let directory = Directory::new();
    let mut child = start(&directory.database(), 0, "migration:1");
    assert_eq!(read(&mut child, usize::MAX), []);
    assert!(
        !child.wait().unwrap().success(),
        "migration was not reached"
    );
    drop(directory.open());
}

#[test]
fn loses_nothing_when_killed_at_random() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = Directory::new();
    let mut all = Vec::new();
    for life in 0..20 {
        let mut child = start(&directory.database(), life * MOST, "");
        let mut acknowledged = read(&mut child, random.usize(1..200));
        child.kill().unwrap();
        acknowledged.extend(read(&mut child, usize::MAX));
        child.wait().unwrap();
        all.extend(acknowledged);
        verify(&directory.database(), &all);
    }
    println!("figures: 20 kills, {} acknowledged, none lost", all.len());
}

#[test]
#[ignore = "the process that the other tests start"]
fn child() {
    let database = std::env::var(DATABASE).unwrap();
    let first: u32 = std::env::var(FIRST).unwrap().parse().unwrap();
    let store = SqliteStore::open(database).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|task| runtime.spawn(handle_all(store.clone(), first + task)))
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
}

async fn handle_all(store: SqliteStore, first: u32) {
    for number in (first..first + MOST).step_by(IN_FLIGHT as usize) {
        let bound = store.bind(&check(number, 1)).await.unwrap();
        assert_eq!(bound, Binding::First);
        say(&format!("bound {number}"));
        let claim = claim(number);
        assert!(matches!(
            store.claim(&claim).await.unwrap(),
            ClaimOutcome::Run(_)
        ));
        let settled = store.settle(&claim, Settlement::Done).await.unwrap();
        assert_eq!(settled, Settled::Applied);
        say(&format!("done {number}"));
    }
}

#[test]
fn an_effect_in_the_transaction_happens_exactly_once() {
    let directory = Directory::new();
    drop(directory.open());
    let effects = directory.connection();
    effects
        .execute_batch("CREATE TABLE effect (number INTEGER NOT NULL)")
        .unwrap();
    let mut done = Vec::new();
    for place in ["before_transaction_commit", "after_transaction_commit"] {
        for number in [1, 2, 15, 40] {
            let failpoint = format!("{place}:{number}");
            let mut child = start_as("recording_child", &directory.database(), 0, &failpoint);
            done.extend(read(&mut child, usize::MAX));
            assert!(!child.wait().unwrap().success(), "{place} was not reached");
        }
    }
    let mut counts = effects
        .prepare("SELECT number, count(*) FROM effect GROUP BY number")
        .unwrap();
    let counts: Vec<(u32, u32)> = counts
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(counts.iter().all(|(_, count)| *count == 1), "{counts:?}");
    assert!(done.iter().all(|done| match done {
        Acknowledged::Done(number) => counts.contains(&(*number, 1)),
        Acknowledged::Bound(_) => false,
    }));
    assert!(done.len() > counts.len(), "some were handled again");
}

#[test]
#[ignore = "a process that another test starts"]
fn recording_child() {
    let store = SqliteStore::open(std::env::var(DATABASE).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for number in 0..MOST {
        let this = store.clone();
        let save = move |transaction: &Transaction<'_>| -> Result<(), StoreError> {
            if this.record_in(transaction, &recording(number))? == Recorded::First {
                let effect = "INSERT INTO effect (number) VALUES (?1)";
                transaction.execute(effect, [number]).unwrap();
            }
            Ok(())
        };
        runtime.block_on(store.with_transaction(save)).unwrap();
        say(&format!("done {number}"));
    }
}

/// One write for each line, so that a line is there as a whole or not at all.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn start(database: &Path, first: u32, failpoint: &str) -> Child {
    start_as("child", database, first, failpoint)
}

fn start_as(test: &str, database: &Path, first: u32, failpoint: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test, "--nocapture"])
        .env(DATABASE, database)
        .env(FIRST, first.to_string())
        .env(FAILPOINT, failpoint)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child says, until it ends or has said enough.
fn read(child: &mut Child, most: usize) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    let Some(out) = child.stdout.as_mut() else {
        return acknowledged;
    };
    let mut out = BufReader::with_capacity(1, out);
    let mut line = String::new();
    while acknowledged.len() < most && out.read_line(&mut line).unwrap() > 0 {
        match line.trim_end().split_once(' ') {
            Some(("bound", number)) => {
                acknowledged.push(Acknowledged::Bound(number.parse().unwrap()));
            }
            Some(("done", number)) => {
                acknowledged.push(Acknowledged::Done(number.parse().unwrap()));
            }
            _ => {}
        }
        line.clear();
    }
    acknowledged
}

fn verify(database: &Path, acknowledged: &[Acknowledged]) {
    let store = SqliteStore::open(database).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        for what in acknowledged {
            match *what {
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
    });
    let integrity: String = Connection::open(database)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok");
}
