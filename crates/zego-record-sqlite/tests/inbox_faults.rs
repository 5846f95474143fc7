//! What goes wrong around an inbox: locks, full disks, callers that go away.

#![allow(clippy::unwrap_used)]

mod common;

use std::task::{Context, Waker};
use std::time::Duration;

use common::{Directory, LEASE, chain, check, claim_due, claim_one, key_of, new_callback};
use zego_record_inbox::{ClaimDue, EntryState, Filter, InboxStore, Next, Note, RunEnded};
use zego_record_receiver::{Accept, Accepted, BoxFuture, Owner, StoreError, StoreErrorKind};
use zego_record_sqlite::SqliteStore;
use zego_record_sqlite::rusqlite::Transaction;

#[tokio::test]
async fn reads_while_another_process_holds_the_write_lock() {
    let directory = Directory::new();
    let store = SqliteStore::builder(directory.database())
        .timeout(Duration::from_millis(20))
        .open()
        .unwrap();
    store.accept(&new_callback(1)).await.unwrap();
    let other = directory.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.accept(&new_callback(2)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("locked"), "{}", chain(&error));
    assert_eq!(store.list(&Filter::all(), None, 9).await.unwrap().len(), 1);
    assert_eq!(store.stats().await.unwrap().waiting, 1);
    other.execute_batch("ROLLBACK").unwrap();
    let accepted = store.accept(&new_callback(2)).await.unwrap();
    assert_eq!(accepted, Accepted::New);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_do_not_wait_for_each_other() {
    let directory = Directory::new();
    let store = directory.open();
    store.accept(&new_callback(1)).await.unwrap();
    // While the writing thread is busy, everything can be read.
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let (begun, is_begun) = tokio::sync::oneshot::channel();
    let busy = {
        let store = store.clone();
        tokio::spawn(async move {
            let wait = move |_: &Transaction<'_>| {
                begun.send(()).unwrap();
                wait.recv().unwrap();
                Ok::<_, StoreError>(())
            };
            store.with_transaction(wait).await
        })
    };
    is_begun.await.unwrap();
    let reads = async {
        assert_eq!(store.stats().await.unwrap().waiting, 1);
        assert!(store.get(&key_of(1)).await.unwrap().is_some());
        assert_eq!(store.count(&Filter::all()).await.unwrap(), 1);
    };
    // They would wait for ever.
    tokio::time::timeout(Duration::from_secs(60), reads)
        .await
        .unwrap();
    release.send(()).unwrap();
    busy.await.unwrap().unwrap();
}

#[tokio::test]
async fn reports_a_full_disk_and_recovers() {
    let directory = Directory::new();
    let store = directory.open();
    let limit = |transaction: &Transaction<'_>| {
        transaction
            .query_row("PRAGMA max_page_count = 1", [], |_| Ok(()))
            .unwrap();
        Ok::<_, StoreError>(())
    };
    store.with_transaction(limit).await.unwrap();
    let mut callback = new_callback(1).with_replay_check(check(1, 1));
    callback.stored = vec![b'x'; 200_000];
    let error = store.accept(&callback).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("make room"), "{}", chain(&error));
    // Nothing is bound, and the next request gets a connection that has no such limit.
    let accepted = store
        .accept(&new_callback(2).with_replay_check(check(1, 2)))
        .await;
    assert_eq!(accepted.unwrap(), Accepted::New);
    assert_eq!(store.count(&Filter::all()).await.unwrap(), 1);
}

#[tokio::test]
async fn carries_out_what_its_caller_no_longer_waits_for() {
    let directory = Directory::new();
    let store = directory.open();
    let state = async |expected: EntryState| {
        let details = store.get(&key_of(1)).await.unwrap().unwrap();
        assert_eq!(details.entry.state, expected);
    };
    for _ in 0..20 {
        let callback = new_callback(1);
        forget(store.accept(&callback));
        let claim = ClaimDue::new(Owner::new(1), Duration::ZERO, 9);
        forget(store.claim_due(&claim));
        flush(&store).await;
        state(EntryState::Running).await;
        let hold = claim_one(&store).await.hold;
        forget(store.extend(&hold, LEASE));
        flush(&store).await;
        assert!(claim_due(&store, 2, 9).await.is_empty());
        let ended = RunEnded::new(Next::Dead, Note::new("no"));
        forget(store.settle(&hold, &ended));
        flush(&store).await;
        state(EntryState::Dead).await;
        forget(store.set_paused(true));
        forget(store.set_paused(false));
        forget(store.prune(Duration::ZERO, 9));
        let (filter, key) = (Filter::all(), key_of(1));
        forget(store.list(&filter, None, 9));
        flush(&store).await;
        state(EntryState::Dead).await;
        // These search first: what is dropped before has done nothing, and the rest is done as a whole.
        forget(store.redeliver(&filter, 9));
        forget(store.discard(&filter, "no", 9));
        forget(store.erase(&key));
        flush(&store).await;
        assert!(store.get(&key).await.unwrap().is_none());
    }
    // No transaction is left open, so that another connection can write.
    let other = directory.connection();
    other.busy_timeout(Duration::ZERO).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").unwrap();
}

/// Starts a call and drops it.
fn forget<T>(mut call: BoxFuture<'_, T>) {
    let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

/// Waits until what was asked for before is done.
async fn flush(store: &SqliteStore) {
    assert!(!store.erase(&key_of(999)).await.unwrap());
}
