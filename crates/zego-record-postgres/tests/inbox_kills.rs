//! Processes that accept and work, killed at random or stopped past their lease.
//!
//! `ZEGO_TEST_KILLS=200` makes it long.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "everything here is a test, and a child reports on its standard output"
)]

mod common;

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use common::{LONG, accept, callback, claim_due, connect, owner};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use zego_record_inbox::{
    ClaimDue, Claimed, Delivery, EntryState, Filter, InboxStore, Next, Note, RunEnded,
};
use zego_record_postgres::{LeaseLost, PostgresStore};
use zego_record_receiver::{Accept, Accepted, Settled, StoreError};
use zego_record_test_servers::Postgres;

const URL: &str = "ZEGO_TEST_CHILD_URL";
const SCHEMA: &str = "ZEGO_TEST_CHILD_SCHEMA";
const LEASE: Duration = Duration::from_millis(300);

#[test]
fn whatever_is_killed_each_accepted_callback_has_its_effect_once() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    let schema = server.new_schema();
    let (store, client) = runtime.block_on(open(server, &schema));
    let kills = std::env::var("ZEGO_TEST_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut accepted = Vec::new();
    for _ in 0..kills {
        let mut child = Process::start("accept_and_work", server, &schema);
        for _ in 0..random.u32(1..40) {
            accepted.push(child.line());
        }
        std::thread::sleep(Duration::from_micros(random.u64(..5_000)));
        child.child.kill().unwrap();
        child.child.wait().unwrap();
        // What was written before the end counts as well. A line is one write, so none is cut.
        while let Some(line) = child.next_line() {
            accepted.push(line);
        }
    }
    let accepted: HashSet<_> = accepted.into_iter().collect();

    let (done, lost) = runtime.block_on(async {
        while store.stats().await.unwrap().oldest.is_some() {
            work_once(&store, &schema, 20).await;
        }
        let done = Filter::in_state(EntryState::Done);
        let done = store.list(&done, None, 1_000_000).await.unwrap();
        let lost = format!(
            "SELECT count(*) FROM {schema}.attempt AS a JOIN {schema}.work AS w USING (id) \
             WHERE a.outcome = 'running'"
        );
        let row = client.query_one(&lost, &[]).await.unwrap();
        (done, row.get::<_, i64>(0))
    });
    let keys: HashSet<_> = done.iter().map(|entry| entry.key.to_string()).collect();
    for key in &accepted {
        assert!(keys.contains(key), "{key} was accepted and is not done");
    }
    let effects = format!("SELECT count(*), count(DISTINCT id) FROM {schema}.effect");
    let row = runtime.block_on(client.query_one(&effects, &[])).unwrap();
    let (effects, distinct): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(effects, distinct, "an effect happened twice");
    assert_eq!(usize::try_from(effects).unwrap(), done.len());
    println!(
        "{kills} kills, {} accepted, {effects} effects, {lost} runs cut off",
        accepted.len()
    );
    assert!(lost > 0, "no kill met a run");
}

/// As long as it runs, it keeps its lease; when it is stopped, another one takes over, and when it goes on
/// it has lost.
#[test]
fn a_process_that_is_stopped_past_its_lease_commits_nothing() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    let schema = server.new_schema();
    let (store, client) = runtime.block_on(open(server, &schema));
    runtime.block_on(accept(&store, "held"));
    let mut child = Process::start("hold", server, &schema);
    for _ in 0..10 {
        assert_eq!(child.line(), "extended");
        let claimed = runtime.block_on(claim_due(&store, LONG, 1));
        assert!(claimed.is_empty(), "it was extended, and taken over");
    }
    child.signal("-STOP");
    let heir = loop {
        let claimed = runtime.block_on(claim_due(&store, LONG, 1));
        if let [heir] = claimed.as_slice() {
            break heir.clone();
        }
    };
    assert_eq!(heir.hold.epoch, 2);
    child.signal("-CONT");
    let lost = loop {
        let line = child.line();
        if line != "extended" {
            break line;
        }
    };
    assert_eq!(lost, "stale, and the lease is lost");
    runtime.block_on(commit(&store, &schema, &heir)).unwrap();
    let effects = format!("SELECT count(*) FROM {schema}.effect");
    let row = runtime.block_on(client.query_one(&effects, &[])).unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

#[test]
#[ignore = "a child process of the tests above"]
fn accept_and_work() {
    let Some((url, schema)) = parent() else {
        return;
    };
    let process = std::process::id();
    Runtime::new().unwrap().block_on(async {
        let store = connect_store(&url, &schema).await;
        let mut tasks = JoinSet::new();
        for task in 0..2 {
            let store = store.clone();
            tasks.spawn(async move {
                for number in 0.. {
                    let callback = callback(format!("{process} {task} {number}"));
                    let accepted = store.accept(&callback).await.unwrap();
                    assert_eq!(accepted, Accepted::New);
                    report(&callback.key.to_string());
                }
            });
        }
        for _ in 0..2 {
            let (store, schema) = (store.clone(), schema.clone());
            tasks.spawn(async move {
                loop {
                    work_once(&store, &schema, 3).await;
                }
            });
        }
        tasks.join_all().await;
    });
}

#[test]
#[ignore = "a child process of the tests above"]
fn hold() {
    let Some((url, schema)) = parent() else {
        return;
    };
    Runtime::new().unwrap().block_on(async {
        let store = connect_store(&url, &schema).await;
        let held = claim_due(&store, LEASE, 1).await.remove(0);
        while store.extend(&held.hold, LEASE).await.unwrap() == Settled::Applied {
            report("extended");
            tokio::time::sleep(LEASE / 6).await;
        }
        let error = commit(&store, &schema, &held).await.unwrap_err();
        assert!(LeaseLost::is_cause_of(&error));
        report("stale, and the lease is lost");
        tokio::time::sleep(LONG).await;
    });
}

/// A line of its own, whatever the test harness has written before.
fn report(line: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(format!("\n= {line}\n").as_bytes())
        .unwrap();
    stdout.flush().unwrap();
}

fn parent() -> Option<(String, String)> {
    Some((std::env::var(URL).ok()?, std::env::var(SCHEMA).ok()?))
}

async fn connect_store(url: &str, schema: &str) -> PostgresStore {
    let builder = PostgresStore::builder().schema(schema);
    // Others are killed in the middle of their transactions, and the machine may be busy.
    let builder = builder.timeout(Duration::from_secs(30));
    builder.connect(url).await.unwrap()
}

async fn open(server: &Postgres, schema: &str) -> (PostgresStore, tokio_postgres::Client) {
    let store = connect_store(&server.url(), schema).await;
    let client = connect(server).await;
    let table = format!("CREATE TABLE {schema}.effect (id bigint NOT NULL)");
    client.batch_execute(&table).await.unwrap();
    (store, client)
}

async fn work_once(store: &PostgresStore, schema: &str, limit: u32) {
    let claim = ClaimDue::new(owner(), LEASE, limit);
    for claimed in store.claim_due(&claim).await.unwrap() {
        if let Err(error) = commit(store, schema, &claimed).await {
            assert!(LeaseLost::is_cause_of(&error), "{error:?}");
            let again = RunEnded::new(Next::Retry(Duration::ZERO), Note::default());
            let settled = InboxStore::settle(store, &claimed.hold, &again).await;
            assert_eq!(settled.unwrap(), Settled::Stale);
        }
    }
}

async fn commit(store: &PostgresStore, schema: &str, claimed: &Claimed) -> Result<(), StoreError> {
    let callback = claimed.callback.restore().unwrap();
    let delivery = Delivery::new(callback).with_hold(claimed.hold);
    let insert = format!("INSERT INTO {schema}.effect VALUES ($1)");
    store
        .commit_with(&delivery, async |transaction| {
            let id = claimed.hold.id;
            transaction.execute(&insert, &[&id]).await.unwrap();
            Ok(())
        })
        .await
}

/// A child that is killed when it is dropped.
struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(test: &str, server: &Postgres, schema: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([test, "--exact", "--ignored", "--nocapture"])
            .env(URL, server.url())
            .env(SCHEMA, schema)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { lines, child }
    }

    fn line(&mut self) -> String {
        self.next_line().expect("the child has ended by itself")
    }

    /// The next report.
    fn next_line(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.ok()?;
            if let Some(report) = line.strip_prefix("= ") {
                return Some(report.to_owned());
            }
        }
    }

    fn signal(&self, signal: &str) {
        let process = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &process]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
