//! Databases of an older version, restarts, foreign rows and copies.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::time::Duration;

use common::{Directory, chain, check, claim, claim_due, claim_one, key_of, new_callback, settle};
use zego_record_inbox::{EntryState, Filter, InboxStore, Next};
use zego_record_receiver::{
    Accept, Accepted, Binding, ClaimOutcome, DeliveryStore, ReplayGuard, StoreErrorKind,
};
use zego_record_sqlite::{SqliteStore, rusqlite::Connection};

/// What a program of the first release checks when it opens, and some of what it runs.
const STATEMENTS_OF_VERSION_1: [&str; 4] = [
    "SELECT key_version, state, owner, lease_ends, epoch, changed, expires FROM zego_delivery WHERE key = ?1",
    "INSERT INTO zego_delivery (key, key_version, state, owner, lease_ends, epoch, changed, expires, event, event_id)
     VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
     ON CONFLICT (key) DO UPDATE SET state = excluded.state",
    "SELECT content, expires FROM zego_signature WHERE signature = ?1",
    "SELECT value FROM zego_meta WHERE name = ?1",
];

#[tokio::test]
async fn migrates_a_database_of_version_1_with_its_data() {
    let directory = Directory::of_version_1();
    let store = directory.open();
    let outcome = store.claim(&claim(1)).await.unwrap();
    assert_eq!(outcome, ClaimOutcome::Done);
    let binding = store.bind(&check(1, 2)).await.unwrap();
    assert_eq!(binding, Binding::Conflict);
    let accepted = store.accept(&new_callback(1)).await.unwrap();
    assert_eq!(accepted, Accepted::New);
    drop(store);

    let connection = directory.connection();
    assert_eq!(meta(&connection, "version"), 2);
    assert_eq!(
        meta(&connection, "compatible"),
        1,
        "an older program may go on"
    );
    for statement in STATEMENTS_OF_VERSION_1 {
        connection.prepare(statement).unwrap();
    }
    // The schema may be run again.
    connection
        .execute_batch(zego_record_sqlite::sql::SCHEMA)
        .unwrap();
    let store = directory.open();
    let accepted = store.accept(&new_callback(1)).await.unwrap();
    assert_eq!(accepted, Accepted::Known);
}

#[test]
fn many_can_migrate_at_once() {
    for _ in 0..5 {
        let directory = Directory::of_version_1();
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    directory.open();
                });
            }
        });
        assert_eq!(meta(&directory.connection(), "version"), 2);
    }
}

#[test]
fn leaves_tables_of_version_1_alone_if_it_may_not_create_any() {
    let directory = Directory::of_version_1();
    let error = SqliteStore::builder(directory.database())
        .create_tables(false)
        .open()
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(chain(&error).contains("migrate"), "{}", chain(&error));
    assert_eq!(meta(&directory.connection(), "version"), 1);
}

#[test]
fn keeps_the_version_of_newer_tables() {
    let directory = Directory::new();
    drop(directory.open());
    let tables = directory.connection();
    tables
        .execute_batch("UPDATE zego_meta SET value = 9 WHERE name = 'version'")
        .unwrap();
    tables
        .execute_batch(zego_record_sqlite::sql::SCHEMA)
        .unwrap();
    drop(directory.open());
    assert_eq!(meta(&tables, "version"), 9);
}

#[tokio::test]
async fn remembers_all_states_across_a_restart() {
    let directory = Directory::new();
    let store = directory.open();
    for number in 0..5 {
        store.accept(&new_callback(number)).await.unwrap();
    }
    for next in [Next::Done, Next::Dead, Next::Retry(Duration::ZERO)] {
        let hold = claim_one(&store).await.hold;
        settle(&store, &hold, next, "no").await;
    }
    let held = claim_one(&store).await;
    store.set_paused(true).await.unwrap();
    let before = store.list(&Filter::all(), None, 9).await.unwrap();
    drop(store);

    let store = directory.open();
    assert_eq!(store.list(&Filter::all(), None, 9).await.unwrap(), before);
    assert!(store.stats().await.unwrap().paused);
    for number in 0..5 {
        let accepted = store.accept(&new_callback(number)).await.unwrap();
        assert_eq!(accepted, Accepted::Known, "{number}");
    }
    settle(&store, &held.hold, Next::Done, "").await;
    let details = store.get(&held.callback.key).await.unwrap().unwrap();
    assert_eq!(details.entry.state, EntryState::Done);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_becomes_a_dead_letter_and_stops_nobody() {
    let directory = Directory::new();
    let store = directory.open();
    let changes = [
        ("work", "epoch = -1"),
        ("work", "attempts = 5000000000"),
        ("work", "owner = x'00'"),
        ("work", "state = 7"),
        ("work", "state = 1"),
        ("work", "state = 1, over_at = 1"),
        ("work", "state = 5"),
        ("work", "due_at = -1"),
        ("callback", "key_version = 2"),
    ];
    let count = u32::try_from(changes.len()).unwrap();
    for number in 0..=count {
        store.accept(&new_callback(number)).await.unwrap();
    }
    let rows = directory.connection();
    for (number, (table, change)) in (0..count).zip(changes) {
        let changed = rows.execute(
            &format!(
                "UPDATE zego_{table} SET {change} WHERE id = (SELECT id FROM zego_callback WHERE key = ?1)"
            ),
            [&key_of(number).as_bytes()[..]],
        );
        assert_eq!(changed.unwrap(), 1);
    }
    let claimed = claim_due(&store, 1, 1).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].callback.key, key_of(count));
    for (number, (_, change)) in (0..count).zip(changes) {
        let entry = store.get(&key_of(number)).await.unwrap().unwrap().entry;
        assert_eq!(entry.state, EntryState::Dead, "{change}");
        let error = entry.last_error.unwrap();
        assert!(error.contains("cannot read its row"), "{change}: {error}");
    }
    let entries = store.list(&Filter::all(), None, 100).await.unwrap();
    assert_eq!(entries.len(), changes.len() + 1);

    // A key that is none can be named by no call, and hides nothing else.
    rows.execute("UPDATE zego_callback SET key = x'00' WHERE id = 1", [])
        .unwrap();
    let entries = store.list(&Filter::all(), None, 100).await.unwrap();
    assert_eq!(entries.len(), changes.len());
    rows.execute_batch(
        "UPDATE zego_work SET state = 4, over_at = NULL, epoch = 1, due_at = 0 WHERE id = 1",
    )
    .unwrap();
    assert!(claim_due(&store, 1, 9).await.is_empty());
    rows.execute_batch("DELETE FROM zego_callback WHERE id = 1; UPDATE zego_work SET state = 4, over_at = NULL, due_at = 0 WHERE id = 1")
        .unwrap();
    assert!(claim_due(&store, 1, 9).await.is_empty());
    assert_eq!(store.stats().await.unwrap().dead, u64::from(count));
}

#[tokio::test]
async fn a_copy_is_whole_and_private() {
    let directory = Directory::new();
    let store = directory.open();
    for number in 0..50 {
        store.accept(&new_callback(number)).await.unwrap();
    }
    let hold = claim_one(&store).await.hold;
    settle(&store, &hold, Next::Done, "").await;
    let copy = directory.database().with_file_name("a 'copy'?.db");
    let writes = {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 50..150 {
                store.accept(&new_callback(number)).await.unwrap();
            }
        })
    };
    store.backup(&copy).await.unwrap();
    writes.await.unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let restored = SqliteStore::open(&copy).unwrap();
    for number in 0..50 {
        let accepted = restored.accept(&new_callback(number)).await.unwrap();
        assert_eq!(accepted, Accepted::Known, "{number}");
    }
    assert_eq!(restored.stats().await.unwrap().done, 1);
    let files = || {
        let files = fs::read_dir(copy.parent().unwrap()).unwrap();
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("partial"))
            .count()
    };
    assert_eq!(files(), 0);

    let error = store.backup(&copy).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(chain(&error).contains("exists"), "{}", chain(&error));
    let nowhere = directory.database().join("below");
    let error = store.backup(nowhere).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert_eq!(files(), 0);
}

fn meta(connection: &Connection, name: &str) -> i64 {
    let find = "SELECT value FROM zego_meta WHERE name = ?1";
    connection
        .query_row(find, [name], |row| row.get(0))
        .unwrap()
}
