//! A delivery that is marked as done in the user's own transaction.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Directory, chain, claim, recording};
use zego_record_core::RecordCallback;
use zego_record_receiver::{
    Claim, ClaimOutcome, DeliveryStore, Owner, Settled, Settlement, StoreError, StoreErrorKind,
};
use zego_record_sqlite::rusqlite::{Connection, Transaction, params};
use zego_record_sqlite::{Recorded, SqliteStore, event_hash, sql};

#[tokio::test]
async fn records_once_in_a_transaction_of_another_connection() {
    let directory = Directory::new();
    let store = directory.open();
    let mut own = directory.connection();
    let recording = recording(1);
    let claim = claim_of(&recording);
    store.claim(&claim).await.unwrap();

    let transaction = own.transaction().unwrap();
    let recorded = store.record_in(&transaction, &recording).unwrap();
    assert_eq!(recorded, Recorded::First);
    transaction.rollback().unwrap();
    let other = Claim::new(claim.key, recording.event_id(), Owner::new(2));
    assert_eq!(store.claim(&other).await.unwrap(), ClaimOutcome::Busy);

    for expected in [Recorded::First, Recorded::Again] {
        let transaction = own.transaction().unwrap();
        let recorded = store.record_in(&transaction, &recording).unwrap();
        assert_eq!(recorded, expected);
        transaction.commit().unwrap();
        assert_eq!(store.claim(&other).await.unwrap(), ClaimOutcome::Done);
    }
    let settled = store.settle(&claim, Settlement::Failed).await.unwrap();
    assert_eq!(settled, Settled::Stale);
}

#[tokio::test]
async fn records_what_was_never_claimed_and_finds_what_the_receiver_settled() {
    let directory = Directory::new();
    let store = directory.open();
    let (unclaimed, settled) = (recording(1), recording(2));
    let claim = claim_of(&settled);
    store.settle(&claim, Settlement::Done).await.unwrap();
    let mut own = directory.connection();
    let transaction = own.transaction().unwrap();
    for (recording, expected) in [(&unclaimed, Recorded::First), (&settled, Recorded::Again)] {
        let recorded = store.record_in(&transaction, recording).unwrap();
        assert_eq!(recorded, expected);
    }
    transaction.commit().unwrap();
    let outcome = store.claim(&claim_of(&unclaimed)).await.unwrap();
    assert_eq!(outcome, ClaimOutcome::Done);
}

#[tokio::test]
async fn the_statement_alone_does_the_same() {
    let directory = Directory::new();
    let store = directory.open();
    let (own, recording) = (directory.connection(), recording(1));
    let event_id = recording.event_id();
    for expected in [1, 0] {
        let mut record = own.prepare(sql::RECORD).unwrap();
        let rows = record.query_map(
            params![
                recording.delivery_key().as_bytes(),
                i64::MAX,
                event_hash(&event_id),
                event_id.as_bytes()
            ],
            |_| Ok(()),
        );
        assert_eq!(rows.unwrap().count(), expected);
    }
    let outcome = store.claim(&claim_of(&recording)).await.unwrap();
    assert_eq!(outcome, ClaimOutcome::Done);
}

#[tokio::test]
async fn rejects_a_transaction_of_another_database() {
    let directory = Directory::new();
    let store = directory.open();
    let mut other = Connection::open_in_memory().unwrap();
    let transaction = other.transaction().unwrap();
    let error = store.record_in(&transaction, &recording(1)).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Config);
    assert!(chain(&error).contains("no such table"), "{}", chain(&error));
}

#[tokio::test]
async fn rolls_back_what_fails_or_panics() {
    let directory = Directory::new();
    let store = directory.open();
    let recording = recording(1);
    let failing = record(&store, &recording, || Err(failure()));
    assert!(failing.await.is_err());
    let panicking = record(&store, &recording, || panic!("a bug of the user's"));
    let error = panicking.await.unwrap_err();
    assert!(chain(&error).contains("panicked"), "{}", chain(&error));
    let succeeding = record(&store, &recording, || Ok(()));
    assert_eq!(succeeding.await.unwrap(), Recorded::First);
    assert!(store.claim(&claim(9)).await.is_ok());
}

#[tokio::test]
async fn a_transaction_that_is_ended_by_its_closure_hurts_nobody() {
    let directory = Directory::new();
    let store = directory.open();
    for end in ["COMMIT", "ROLLBACK", "COMMIT; BEGIN IMMEDIATE"] {
        let closure = move |transaction: &Transaction<'_>| {
            transaction.execute_batch(end).unwrap();
            Err::<(), _>(failure())
        };
        assert!(store.with_transaction(closure).await.is_err());
        assert!(store.claim(&claim(1)).await.is_ok(), "{end}");
    }
    let rows: u32 = directory
        .connection()
        .query_row("SELECT count(*) FROM zego_delivery", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 1);
}

async fn record(
    store: &SqliteStore,
    recording: &RecordCallback,
    then: impl FnOnce() -> Result<(), StoreError> + Send + 'static,
) -> Result<Recorded, StoreError> {
    let (this, recording) = (store.clone(), recording.clone());
    let work = move |transaction: &Transaction<'_>| {
        let recorded = this.record_in(transaction, &recording)?;
        then()?;
        Ok(recorded)
    };
    store.with_transaction(work).await
}

fn claim_of(recording: &RecordCallback) -> Claim {
    Claim::new(
        recording.delivery_key(),
        recording.event_id(),
        Owner::new(1),
    )
}

fn failure() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "a failure of the user's")
}
