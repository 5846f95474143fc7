//! Processes that accept and work, killed at every place and at random: what was accepted is there, and
//! has its effect exactly once.
//!
//! This program starts itself as the process that is killed. `ZEGO_TEST_KILLS=200` is the long form.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use common::{Directory, claim_due, key_of, new_callback, number_of, settle};
use zego_record_inbox::{Claimed, Delivery, EntryState, InboxStore, Next};
use zego_record_receiver::{Accept, Accepted, StoreError};
use zego_record_sqlite::SqliteStore;
use zego_record_sqlite::rusqlite::{Connection, Transaction};

const DATABASE: &str = "ZEGO_TEST_DATABASE";
const LIFE: &str = "ZEGO_TEST_LIFE";
const FAILPOINT: &str = "ZEGO_SQLITE_FAILPOINT";
const KILLS: &str = "ZEGO_TEST_KILLS";
/// How many callbacks a child accepts at most, and how many tasks do so.
const MOST: u32 = 1_000_000;
const ACCEPTING: u32 = 3;
/// A life begins when the leases of all lives before have ended.
const BETWEEN_LIVES: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Acknowledged {
    Accepted(u32),
    Done(u32),
}

#[test]
fn every_callback_has_its_effect_once_when_killed_at_a_failpoint() {
    for place in [
        "before_begin",
        "before_commit",
        "after_commit",
        "before_answer",
        "before_transaction_commit",
        "after_transaction_commit",
    ] {
        let mut lives = Lives::new();
        for number in [1, 2, 7, 20] {
            let mut child = lives.start(&format!("{place}:{number}"));
            lives.read(&mut child, usize::MAX);
            let status = child.wait().unwrap();
            assert!(!status.success(), "{place} was not reached");
            lives.verify();
        }
        lives.drain();
    }
}

#[test]
fn every_callback_has_its_effect_once_when_killed_at_random() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let kills: u32 = std::env::var(KILLS).map_or(20, |kills| kills.parse().unwrap());
    let mut lives = Lives::new();
    for _ in 0..kills {
        let mut child = lives.start("");
        lives.read(&mut child, random.usize(1..200));
        child.kill().unwrap();
        lives.read(&mut child, usize::MAX);
        child.wait().unwrap();
        lives.verify();
    }
    let (accepted, effects) = lives.drain();
    println!(
        "figures: {kills} kills, {accepted} acknowledged, {effects} effects, none lost, none twice"
    );
}

#[test]
fn a_migration_that_is_killed_has_not_happened() {
    let mut lives = Lives::of(Directory::of_version_1());
    for _ in 0..2 {
        let mut child = lives.start("migration:1");
        lives.read(&mut child, usize::MAX);
        assert!(
            !child.wait().unwrap().success(),
            "migration was not reached"
        );
        assert_eq!(lives.acknowledged, []);
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'zego_work%'";
        let connection = lives.directory.connection();
        let tables: u32 = connection.query_row(tables, [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 0);
    }
    let mut child = lives.start("");
    lives.read(&mut child, 20);
    child.kill().unwrap();
    child.wait().unwrap();
    lives.drain();
}

#[test]
#[ignore = "the process that the other tests start"]
fn child() {
    let life: u32 = std::env::var(LIFE).unwrap().parse().unwrap();
    let store = open(Path::new(&std::env::var(DATABASE).unwrap()), life);
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let mut tasks: Vec<_> = (0..ACCEPTING)
        .map(|task| runtime.spawn(accept_all(store.clone(), life * MOST + task)))
        .collect();
    tasks.push(runtime.spawn(work(store)));
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
}

async fn accept_all(store: SqliteStore, first: u32) {
    for number in (first..first + MOST).step_by(ACCEPTING as usize) {
        let accepted = store.accept(&new_callback(number)).await.unwrap();
        assert_eq!(accepted, Accepted::New);
        say(&format!("accepted {number}"));
    }
}

/// Some of the effects fail, so that they are retried.
async fn work(store: SqliteStore) {
    loop {
        for claimed in claim_due(&store, fastrand::u128(..), 4).await {
            if fastrand::u8(..8) == 0 {
                settle(&store, &claimed.hold, Next::Retry(Duration::ZERO), "no").await;
                continue;
            }
            let number = handle(&store, &claimed).await;
            say(&format!("done {number}"));
        }
        tokio::task::yield_now().await;
    }
}

/// The effect and its success in one transaction.
async fn handle(store: &SqliteStore, claimed: &Claimed) -> u32 {
    let recording = claimed.callback.restore().unwrap();
    let number = number_of(&recording);
    let delivery = Delivery::new(recording).with_hold(claimed.hold);
    let effect = move |transaction: &Transaction<'_>| {
        let insert = "INSERT INTO effect (number) VALUES (?1)";
        transaction.execute(insert, [number]).unwrap();
        Ok::<_, StoreError>(())
    };
    store.commit_with(&delivery, effect).await.unwrap();
    number
}

fn open(database: &Path, life: u32) -> SqliteStore {
    SqliteStore::builder(database)
        .timeout(Duration::from_secs(60))
        .clock(move || SystemTime::now() + life * BETWEEN_LIVES)
        .open()
        .unwrap()
}

/// The children that work on one database, one after the other.
struct Lives {
    directory: Directory,
    lives: u32,
    acknowledged: Vec<Acknowledged>,
    /// How many of them were verified.
    verified: usize,
}

impl Lives {
    fn new() -> Self {
        let directory = Directory::new();
        drop(directory.open());
        Self::of(directory)
    }

    fn of(directory: Directory) -> Self {
        directory
            .connection()
            .execute_batch("CREATE TABLE effect (number INTEGER NOT NULL)")
            .unwrap();
        Self {
            directory,
            lives: 0,
            acknowledged: Vec::new(),
            verified: 0,
        }
    }

    fn start(&mut self, failpoint: &str) -> Child {
        self.lives += 1;
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child", "--nocapture"])
            .env(DATABASE, self.directory.database())
            .env(LIFE, self.lives.to_string())
            .env(FAILPOINT, failpoint)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// What a child says, until it ends or has said enough.
    fn read(&mut self, child: &mut Child, most: usize) {
        let Some(out) = child.stdout.as_mut() else {
            return;
        };
        let mut out = BufReader::with_capacity(1, out);
        let (mut line, mut read) = (String::new(), 0);
        while read < most && out.read_line(&mut line).unwrap() > 0 {
            match line.trim_end().split_once(' ') {
                Some(("accepted", number)) => {
                    let number = number.parse().unwrap();
                    self.acknowledged.push(Acknowledged::Accepted(number));
                    read += 1;
                }
                Some(("done", number)) => {
                    let number = number.parse().unwrap();
                    self.acknowledged.push(Acknowledged::Done(number));
                    read += 1;
                }
                _ => {}
            }
            line.clear();
        }
    }

    /// What was acknowledged since the last time is there, and so does the file say.
    fn verify(&mut self) {
        let store = open(&self.directory.database(), self.lives);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for what in &self.acknowledged[self.verified..] {
            match *what {
                Acknowledged::Accepted(number) => {
                    let accepted = runtime.block_on(store.accept(&new_callback(number)));
                    assert_eq!(accepted.unwrap(), Accepted::Known, "{what:?} is lost");
                }
                Acknowledged::Done(number) => {
                    let details = runtime.block_on(store.get(&key_of(number)));
                    let entry = details.unwrap().unwrap().entry;
                    assert_eq!(entry.state, EntryState::Done, "{what:?} is lost");
                }
            }
        }
        self.verified = self.acknowledged.len();
        let integrity: String = self
            .directory
            .connection()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(integrity, "ok");
    }

    /// Works until nothing waits. Each callback that was accepted then has its effect, and only once.
    fn drain(mut self) -> (usize, usize) {
        self.verified = 0;
        self.verify();
        let store = open(&self.directory.database(), self.lives + 1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            loop {
                let claimed = claim_due(&store, 1, 16).await;
                if claimed.is_empty() {
                    break;
                }
                for claimed in claimed {
                    handle(&store, &claimed).await;
                }
            }
            let stats = store.stats().await.unwrap();
            assert_eq!((stats.waiting, stats.running, stats.dead), (0, 0, 0));
        });
        let effects = effects(&self.directory.connection());
        assert!(effects.values().all(|count| *count == 1), "{effects:?}");
        let mut accepted = 0;
        for what in &self.acknowledged {
            if let Acknowledged::Accepted(number) = what {
                assert!(effects.contains_key(number), "{number} has no effect");
                accepted += 1;
            }
        }
        (accepted, effects.len())
    }
}

fn effects(connection: &Connection) -> BTreeMap<u32, u32> {
    let mut counts = connection
        .prepare("SELECT number, count(*) FROM effect GROUP BY number")
        .unwrap();
    let counts = counts.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    counts.unwrap().map(Result::unwrap).collect()
}

/// One write for each line, so that a line is there as a whole or not at all.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
