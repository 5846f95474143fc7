//! What goes wrong around a store: locks, full disks, foreign rows, callers that go away.

#![allow(clippy::unwrap_used)]

mod common;

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Directory, chain, check, claim, key};
use zego_record_receiver::{
    Binding, Claim, ClaimOutcome, DeliveryStore, Lease, Owner, ReplayGuard, Settled, Settlement,
    StoreError, StoreErrorKind,
};
use zego_record_sqlite::SqliteStore;
use zego_record_sqlite::rusqlite::Transaction;

const RUN: ClaimOutcome = ClaimOutcome::Run(Lease::new(1, false));

#[tokio::test]
async fn reports_a_foreign_lock_and_recovers() {
    let directory = Directory::new();
    let store = SqliteStore::builder(directory.database())
        .timeout(Duration::from_millis(20))
        .open()
        .unwrap();
    let other = directory.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.claim(&claim(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("locked"), "{}", chain(&error));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.claim(&claim(1)).await.unwrap(), RUN);
}

#[tokio::test]
async fn waits_for_a_foreign_lock() {
    let directory = Directory::new();
    let store = SqliteStore::builder(directory.database())
        .timeout(Duration::from_secs(60))
        .open()
        .unwrap();
    let other = directory.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = tokio::spawn(async move { store.claim(&claim(1)).await });
    tokio::task::yield_now().await;
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), RUN);
}

#[tokio::test]
async fn rejects_what_does_not_fit_and_recovers() {
    let directory = Directory::new();
    let store = directory.open();
    limit_pages(&store, 1).await;
    let big = Claim::new(key(1), "x".repeat(200_000), Owner::new(1));
    let error = store.claim(&big).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("full"), "{}", chain(&error));
    // The next request gets a connection that has no such limit.
    assert_eq!(store.claim(&big).await.unwrap(), RUN);
}

#[tokio::test]
async fn a_foreign_row_stops_nothing_else() {
    let directory = Directory::new();
    let store = directory.open();
    for number in 0..8 {
        store.claim(&claim(number)).await.unwrap();
        store.bind(&check(number, 1)).await.unwrap();
    }
    let rows = directory.connection();
    for (number, change) in [
        "state = 7",
        "owner = x'00'",
        "owner = NULL",
        "lease_ends = NULL",
        "lease_ends = -1",
        "epoch = -1",
        "expires = -1",
        "key_version = 2",
    ]
    .iter()
    .enumerate()
    {
        let number = u32::try_from(number).unwrap();
        let changed = rows.execute(
            &format!("UPDATE zego_delivery SET {change} WHERE key = ?1"),
            [&key(number).as_bytes()[..]],
        );
        assert_eq!(changed.unwrap(), 1);
        let (foreign, own) = (claim(number), claim(100 + number));
        let (foreign, own) = tokio::join!(store.claim(&foreign), store.claim(&own));
        assert_eq!(
            foreign.unwrap_err().kind(),
            StoreErrorKind::Corrupt,
            "{change}"
        );
        assert_eq!(own.unwrap(), RUN, "{change}");
    }
    rows.execute("UPDATE zego_signature SET content = x'00'", [])
        .unwrap();
    let error = store.bind(&check(1, 1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert_eq!(store.bind(&check(99, 1)).await.unwrap(), Binding::First);
}

#[tokio::test]
async fn a_purge_spares_what_is_running_whatever_its_row_says() {
    let directory = Directory::new();
    let store = directory.open();
    store.claim(&claim(1)).await.unwrap();
    let rows = directory.connection();
    rows.execute("UPDATE zego_delivery SET expires = 0", [])
        .unwrap();
    assert_eq!(DeliveryStore::purge(&store, 9).await.unwrap(), 0);
    rows.execute("UPDATE zego_delivery SET lease_ends = 0", [])
        .unwrap();
    assert_eq!(DeliveryStore::purge(&store, 9).await.unwrap(), 1);
}

#[tokio::test]
async fn one_bad_member_of_a_batch_fails_alone() {
    let directory = Directory::new();
    let store = directory.open();
    directory
        .connection()
        .execute_batch(
            "CREATE TRIGGER bad BEFORE INSERT ON zego_delivery WHEN NEW.event_id = CAST('bad' AS BLOB)
             BEGIN SELECT RAISE(ABORT, 'not this one'); END",
        )
        .unwrap();
    // The writer is kept busy until all are queued, so that they share a batch.
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let blocker = store.clone();
    let blocker = tokio::spawn(async move {
        blocker
            .with_transaction::<_, StoreError, _>(move |_| Ok(wait.recv().is_ok()))
            .await
    });
    tokio::task::yield_now().await;
    let claims: Vec<_> = (0..9)
        .map(|number| match number {
            4 => Claim::new(key(4), "bad", Owner::new(1)),
            number => claim(number),
        })
        .collect();
    let mut calls: Vec<_> = claims.iter().map(|claim| store.claim(claim)).collect();
    for call in &mut calls {
        let mut context = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
    }
    release.send(()).unwrap();
    assert!(blocker.await.unwrap().unwrap());
    for (number, call) in calls.into_iter().enumerate() {
        match call.await {
            Err(error) if number == 4 => {
                assert!(chain(&error).contains("not this one"), "{}", chain(&error));
            }
            outcome => assert_eq!(outcome.unwrap(), RUN, "{number}"),
        }
    }
}

#[tokio::test]
async fn carries_out_what_its_caller_no_longer_waits_for() {
    let directory = Directory::new();
    let store = directory.open();
    for number in 0..100 {
        let claim = claim(number);
        let mut call = store.claim(&claim);
        let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(call);
        let mut settle = store.settle(&claim, Settlement::Done);
        if let Poll::Ready(settled) = settle
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            assert_eq!(settled.unwrap(), Settled::Applied);
        }
        drop(settle);
        assert_eq!(store.claim(&claim).await.unwrap(), ClaimOutcome::Done);
    }
    // No transaction is left open, so that another connection can write.
    let other = directory.connection();
    other.busy_timeout(Duration::ZERO).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").unwrap();
}

#[tokio::test]
async fn keeps_hostile_event_ids() {
    let directory = Directory::new();
    let store = directory.open();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut ids = vec![
        String::new(),
        "\0".to_owned(),
        "1:url:\0'; DROP TABLE zego_delivery; --".to_owned(),
        "x".repeat(60 * 1024),
        "\u{10ffff}\u{202e}\u{feff}".to_owned(),
    ];
    ids.extend((0..50).map(|_| (0..random.usize(..200)).map(|_| random.char(..)).collect()));
    for (number, id) in (0..).zip(&ids) {
        let first = Claim::new(key(2 * number), id.clone(), Owner::new(1));
        let second = Claim::new(key(2 * number + 1), id.clone(), Owner::new(1));
        store.claim(&first).await.unwrap();
        store.settle(&first, Settlement::Done).await.unwrap();
        let changed = ClaimOutcome::Run(Lease::new(1, true));
        assert_eq!(store.claim(&second).await.unwrap(), changed, "{id:?}");
        let kept: Vec<u8> = directory
            .connection()
            .query_row(
                "SELECT event_id FROM zego_delivery WHERE key = ?1",
                [&first.key.as_bytes()[..]],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(kept, id.as_bytes());
    }
}

/// Lets the store's connection, and no other, believe that the database must not grow.
async fn limit_pages(store: &SqliteStore, pages: u32) {
    let limit = move |transaction: &Transaction<'_>| {
        transaction
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            .unwrap();
        Ok::<_, StoreError>(())
    };
    store.with_transaction(limit).await.unwrap();
}
