//! What a store makes sure of when it is opened.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::sync::Barrier;
use std::time::Duration;

use common::{Directory, chain, claim};
use zego_record_receiver::{ClaimOutcome, DeliveryStore, Settlement, StoreError, StoreErrorKind};
use zego_record_sqlite::{SqliteStore, rusqlite::Transaction, sql};

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    let store = directory.open();
    store.claim(&claim(1)).await.unwrap();
    let mut names = Vec::new();
    for file in fs::read_dir(directory.database().parent().unwrap()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["store.db", "store.db-shm", "store.db-wal"]);
    drop(store);
    fs::set_permissions(directory.database(), fs::Permissions::from_mode(0o640)).unwrap();
    let error = SqliteStore::open(directory.database()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(chain(&error).contains("chmod 600"), "{}", chain(&error));
    SqliteStore::builder(directory.database())
        .insecure_keep_file_mode()
        .open()
        .unwrap();
}

#[tokio::test]
async fn a_timeout_that_no_clock_can_add_is_cut() {
    let directory = Directory::new();
    let store = SqliteStore::builder(directory.database())
        .timeout(Duration::MAX)
        .open()
        .unwrap();
    assert!(store.claim(&claim(1)).await.is_ok());
}

#[tokio::test]
async fn remembers_across_restarts() {
    let directory = Directory::new();
    let claim = claim(1);
    let store = directory.open();
    store.claim(&claim).await.unwrap();
    store.settle(&claim, Settlement::Done).await.unwrap();
    drop(store);
    let outcome = directory.open().claim(&claim).await.unwrap();
    assert_eq!(outcome, ClaimOutcome::Done);
}

#[test]
fn many_can_create_the_tables_at_once() {
    for _ in 0..10 {
        let (directory, start) = (Directory::new(), Barrier::new(8));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    directory.open();
                });
            }
        });
    }
}

#[tokio::test]
async fn prefixes_do_not_meet() {
    let directory = Directory::new();
    let open = |prefix: &str| {
        SqliteStore::builder(directory.database())
            .table_prefix(prefix)
            .open()
    };
    for prefix in ["", "one_", "Two"] {
        let outcome = open(prefix).unwrap().claim(&claim(1)).await.unwrap();
        assert!(matches!(outcome, ClaimOutcome::Run(_)), "{prefix}");
    }
    for prefix in ["a-b", "1a", "sqlite_", "x;y", "ä", &"x".repeat(41)] {
        let error = open(prefix).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Config, "{prefix}");
    }
}

#[tokio::test]
async fn accepts_tables_that_were_created_by_hand() {
    let directory = Directory::new();
    let open = || {
        SqliteStore::builder(directory.database())
            .create_tables(false)
            .open()
    };
    let error = open().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(chain(&error).contains("no such table"), "{}", chain(&error));
    directory.connection().execute_batch(sql::SCHEMA).unwrap();
    open().unwrap().claim(&claim(1)).await.unwrap();
}

#[tokio::test]
async fn works_with_newer_tables_that_are_compatible() {
    let directory = Directory::new();
    drop(directory.open());
    let tables = directory.connection();
    tables
        .execute_batch(
            "ALTER TABLE zego_delivery ADD COLUMN note TEXT;
             UPDATE zego_meta SET value = 9 WHERE name = 'version'",
        )
        .unwrap();
    directory.open().claim(&claim(1)).await.unwrap();
    tables
        .execute_batch("UPDATE zego_meta SET value = 9 WHERE name = 'compatible'")
        .unwrap();
    rejects(&directory, "update the program");
}

#[test]
fn rejects_tables_that_do_not_fit() {
    for (change, expected) in [
        (
            "ALTER TABLE zego_delivery DROP COLUMN changed",
            "no column named",
        ),
        ("DROP TABLE zego_signature", "no such table"),
        ("DELETE FROM zego_meta", "empty"),
        (
            "DROP TABLE zego_signature; CREATE TABLE zego_signature (signature BLOB, content BLOB, expires INTEGER)",
            "ON CONFLICT clause does not match",
        ),
        (
            "UPDATE zego_meta SET value = 0 WHERE name = 'version'",
            "migrate",
        ),
    ] {
        let directory = Directory::new();
        drop(directory.open());
        directory.connection().execute_batch(change).unwrap();
        rejects(&directory, expected);
    }
}

#[test]
fn rejects_what_is_no_database() {
    let directory = Directory::new();
    let error = SqliteStore::open(directory.database().join("below")).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    fs::write(directory.database(), "not a database, ".repeat(1_000)).unwrap();
    make_private(&directory);
    let error = SqliteStore::open(directory.database()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{}", chain(&error));
}

#[tokio::test]
async fn syncs_each_commit() {
    let directory = Directory::new();
    let store = directory.open();
    let settings = |transaction: &Transaction<'_>| {
        let read = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let settings =
            ["synchronous", "fullfsync", "checkpoint_fullfsync"].map(|name| read(name).unwrap());
        let mode =
            transaction.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
        Ok::<_, StoreError>((settings, mode.unwrap()))
    };
    assert_eq!(
        store.with_transaction(settings).await.unwrap(),
        ([2, 1, 1], "wal".to_owned())
    );
}

fn make_private(directory: &Directory) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(directory.database(), fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = directory;
}

fn rejects(directory: &Directory, expected: &str) {
    let error = SqliteStore::open(directory.database()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(chain(&error).contains(expected), "{}", chain(&error));
}
