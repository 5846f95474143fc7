//! The inbox beside the deliveries of a receiver without one, and what only SQL can get wrong.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::time::{Duration, SystemTime};

use common::{LONG, accept, callback, claim, claim_due, connect, handles, owner, settle};
use tokio_postgres::types::{ToSql, Type};
use zego_record_core::RestoreError;
use zego_record_inbox::{AttemptOutcome, ClaimDue, EntryState, Filter, Hold, InboxStore, Next};
use zego_record_postgres::{PostgresStore, sql};
use zego_record_receiver::{
    Accept, Accepted, Binding, Claim, DeliveryStore, NewCallback, ReplayCheck, ReplayGuard,
    Settled, Settlement,
};
use zego_record_test_servers::Postgres;

fn check(signature: u8, content: u8) -> ReplayCheck {
    ReplayCheck::new([signature; 20], [content; 16], LONG)
}

fn direct(callback: &NewCallback) -> Claim {
    let mut direct = claim(0).with_retention(LONG);
    direct.key = callback.key;
    direct.event_id.clone_from(&callback.event_id);
    direct
}

#[tokio::test]
async fn what_a_receiver_without_an_inbox_has_done_is_known() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store] = handles(server).await;
    let done = callback("done");
    DeliveryStore::settle(&store, &direct(&done), Settlement::Done)
        .await
        .unwrap();
    let done = done.with_replay_check(check(1, 1));
    assert_eq!(store.accept(&done).await.unwrap(), Accepted::Known);
    assert_eq!(store.get(&done.key).await.unwrap(), None);
    assert_eq!(store.bind(&check(1, 2)).await.unwrap(), Binding::Conflict);

    let failed = callback("failed");
    let run = direct(&failed);
    store.claim(&run).await.unwrap();
    DeliveryStore::settle(&store, &run, Settlement::Failed)
        .await
        .unwrap();
    assert_eq!(store.accept(&failed).await.unwrap(), Accepted::New);
    let cut_off = callback("cut off");
    let run = direct(&cut_off).with_lease(Duration::ZERO);
    store.claim(&run).await.unwrap();
    assert_eq!(store.accept(&cut_off).await.unwrap(), Accepted::New);
    let forgotten = callback("forgotten");
    let run = direct(&forgotten).with_retention(Duration::ZERO);
    DeliveryStore::settle(&store, &run, Settlement::Done)
        .await
        .unwrap();
    assert_eq!(store.accept(&forgotten).await.unwrap(), Accepted::New);
}

#[tokio::test]
async fn what_a_receiver_without_an_inbox_runs_commits_nothing() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store] = handles(server).await;
    let running = callback("running").with_replay_check(check(1, 1));
    store.claim(&direct(&running)).await.unwrap();
    assert_eq!(store.accept(&running).await.unwrap(), Accepted::Running);
    assert_eq!(store.get(&running.key).await.unwrap(), None);
    // The signature was not bound either.
    assert_eq!(store.bind(&check(1, 2)).await.unwrap(), Binding::First);
    // A conflict is one, whatever runs.
    assert_eq!(store.accept(&running).await.unwrap(), Accepted::Conflict);
    let expired = ReplayCheck::new([2; 20], [1; 16], Duration::ZERO);
    store.bind(&expired).await.unwrap();
    let other = running.with_replay_check(check(2, 2));
    assert_eq!(store.accept(&other).await.unwrap(), Accepted::Running);
}

#[tokio::test]
async fn a_row_that_is_corrupt_does_not_stop_the_others() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let builder = PostgresStore::builder().schema(&schema);
    let store = builder.connect(&server.url()).await.unwrap();
    let mut ids = Vec::new();
    for name in ["body", "key", "absent", "texts", "counters", "good"] {
        let key = accept(&store, name).await.key;
        ids.push((name, store.get(&key).await.unwrap().unwrap().entry.id));
    }
    let id = |name| ids.iter().find(|(other, _)| *other == name).unwrap().1;
    let script = format!(
        "ALTER TABLE {schema}.callback DROP CONSTRAINT callback_key_check; \
         UPDATE {schema}.callback SET body = 'garbage' WHERE id = {}; \
         UPDATE {schema}.callback SET key = 'short' WHERE id = {}; \
         DELETE FROM {schema}.callback WHERE id = {}; \
         UPDATE {schema}.callback SET event_id = '\\xff00fe', stream_alias = '\\x80' WHERE id = {}; \
         UPDATE {schema}.work SET attempts = 2147483647, epoch = 2147483647 WHERE id = {};",
        id("body"),
        id("key"),
        id("absent"),
        id("texts"),
        id("counters"),
    );
    let client = connect(server).await;
    client.batch_execute(&script).await.unwrap();

    let claimed = claim_due(&store, LONG, 10).await;
    let found: Vec<_> = claimed.iter().map(|claimed| claimed.hold.id).collect();
    let expected = ["body", "texts", "counters", "good"].map(id);
    assert_eq!(found, expected);
    let restored: Vec<_> = claimed.iter().map(|run| run.callback.restore()).collect();
    assert!(matches!(restored[0], Err(RestoreError { .. })));
    assert!(restored[1..].iter().all(Result::is_ok), "{restored:?}");
    for claimed in &claimed {
        let settled = settle(&store, &claimed.hold, Next::Done).await;
        assert_eq!(settled, Settled::Applied);
    }
    let texts = Filter::key(&claimed[1].callback.key);
    let entry = &store.list(&texts, None, 1).await.unwrap()[0];
    assert_eq!(entry.event_id, "\u{fffd}\0\u{fffd}");
    assert_eq!(store.list(&Filter::all(), None, 9).await.unwrap().len(), 4);
    // Those that nobody can read are dead, and say why.
    assert_eq!(store.stats().await.unwrap().dead, 2);
    let why = format!("SELECT last_error FROM {schema}.work WHERE over = 3");
    for row in client.query(&why, &[]).await.unwrap() {
        let why = String::from_utf8(row.get(0)).unwrap();
        assert!(why.contains("delivery key is not 32 bytes"), "{why}");
    }
}

#[tokio::test]
async fn a_filter_takes_nothing_for_a_pattern() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store] = handles(server).await;
    for (number, stream) in ["100%_a\\b", "100xya.b", "\u{e9}t\u{c9}", "303251"]
        .into_iter()
        .enumerate()
    {
        let mut callback = callback(number);
        stream.clone_into(&mut callback.stream_alias);
        callback.event_id = format!("event {number}");
        store.accept(&callback).await.unwrap();
    }
    let table: [(&str, &[&str]); 11] = [
        ("%", &["100%_a\\b"]),
        ("_", &["100%_a\\b"]),
        ("\\", &["100%_a\\b"]),
        (".", &["100xya.b"]),
        ("XYA", &["100xya.b"]),
        ("\u{e9}T", &["\u{e9}t\u{c9}"]),
        ("303", &["303251"]),
        ("251", &["303251"]),
        ("\u{c9}", &["\u{e9}t\u{c9}"]),
        ("EVENT 1", &["100xya.b"]),
        ("' OR true --", &[]),
    ];
    for (text, expected) in table {
        let mut filter = Filter::all();
        filter.text = Some(text.to_owned());
        let found = store.list(&filter, None, 10).await.unwrap();
        let found: Vec<_> = found.iter().map(|entry| &entry.stream_alias).collect();
        assert_eq!(found, expected, "{text:?}");
        let count = store.count(&filter).await.unwrap();
        assert_eq!(count, expected.len() as u64, "{text:?}");
    }
    for time in [
        SystemTime::UNIX_EPOCH,
        SystemTime::now() + LONG * 24 * 365_000,
    ] {
        let mut filter = Filter::all();
        filter.received_from = Some(time);
        let late = store.count(&filter).await.unwrap();
        filter = Filter::all();
        filter.received_before = Some(time);
        let early = store.count(&filter).await.unwrap();
        assert_eq!(late + early, 4, "{time:?}");
    }
}

#[tokio::test]
async fn of_two_contents_about_one_file_the_second_is_changed() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store] = handles(server).await;
    for name in ["first", "second", "third"] {
        let mut callback = callback(name);
        callback.event_id = "file".into();
        store.accept(&callback).await.unwrap();
    }
    // The first one has nothing before it, and nothing has run.
    let changed = async |limit| {
        let claimed = claim_due(&store, LONG, limit).await;
        let changed = claimed.iter().map(|claimed| claimed.changed);
        changed.collect::<Vec<_>>()
    };
    assert_eq!(changed(2).await, [false, true]);
    assert_eq!(changed(2).await, [true]);
    let one = Filter::in_state(EntryState::Running);
    let first = store.list(&one, None, 3).await.unwrap().pop().unwrap();
    let details = store.get(&first.key).await.unwrap().unwrap();
    let hold = Hold::new(first.id, owner(), details.attempts[0].epoch);
    settle(&store, &hold, Next::Done).await;
    store.redeliver(&Filter::key(&first.key), 1).await.unwrap();
    assert_eq!(changed(1).await, [true], "others have run since");
}

#[tokio::test]
async fn the_history_is_bounded_in_the_table_too() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let builder = PostgresStore::builder().schema(&schema);
    let store = builder.connect(&server.url()).await.unwrap();
    let key = accept(&store, "often").await.key;
    for _ in 0..105 {
        assert_eq!(claim_due(&store, Duration::ZERO, 1).await.len(), 1);
    }
    let client = connect(server).await;
    let count = format!("SELECT count(*) FROM {schema}.attempt");
    let count: i64 = client.query_one(&count, &[]).await.unwrap().get(0);
    assert_eq!(count, 100);
    let attempts = store.get(&key).await.unwrap().unwrap().attempts;
    assert_eq!((attempts[0].epoch, attempts.len()), (6, 100));
    let lost = |outcome| outcome == AttemptOutcome::Lost;
    assert!(attempts[..99].iter().all(|attempt| lost(attempt.outcome)));
    assert_eq!(attempts[99].outcome, AttemptOutcome::Running);

    // Nothing is left of what is erased or pruned.
    store.erase(&key).await.unwrap();
    accept(&store, "pruned").await;
    for claimed in claim_due(&store, LONG, 1).await {
        settle(&store, &claimed.hold, Next::Done).await;
    }
    assert_eq!(store.prune(Duration::ZERO, 10).await.unwrap(), 1);
    for table in ["callback", "work", "attempt"] {
        let count = format!("SELECT count(*) FROM {schema}.{table}");
        let count: i64 = client.query_one(&count, &[]).await.unwrap().get(0);
        assert_eq!(count, 0, "{table}");
    }
}

/// For users of another driver.
#[tokio::test]
async fn the_statement_alone_accepts() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let builder = PostgresStore::builder().schema(&schema);
    let store = builder.connect(&server.url()).await.unwrap();
    let client = connect(server).await;
    let callback = callback("statement");
    let statement = sql::in_schema(sql::ACCEPT, &schema);
    let event = sql::event_hash(&callback.event_id);
    let nothing: Option<&[u8]> = None;
    for expected in [1_i16, 2] {
        let parameters: [(&(dyn ToSql + Sync), Type); 9] = [
            (&nothing, Type::BYTEA),
            (&nothing, Type::BYTEA),
            (&None::<i64>, Type::INT8),
            (&callback.key.as_bytes().as_slice(), Type::BYTEA),
            (&event.as_slice(), Type::BYTEA),
            (&callback.event_id.as_bytes(), Type::BYTEA),
            (&callback.appid.as_bytes(), Type::BYTEA),
            (&callback.stream_alias.as_bytes(), Type::BYTEA),
            (&callback.stored, Type::BYTEA),
        ];
        let row = client.query_typed_one(&statement, &parameters).await;
        let row = row.unwrap();
        assert_eq!(row.get::<_, i16>(0), expected);
    }
    let claim = ClaimDue::new(owner(), LONG, 1);
    let claimed = store.claim_due(&claim).await.unwrap();
    assert_eq!(claimed[0].callback.bytes, callback.stored);
}
