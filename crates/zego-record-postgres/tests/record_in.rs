//! A delivery that is marked as done in the user's own transaction.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::time::{Duration, Instant};

use common::{handles, owner};
use zego_record_core::RecordCallback;
use zego_record_postgres::tokio_postgres::types::Type;
use zego_record_postgres::tokio_postgres::{Client, IsolationLevel, NoTls};
use zego_record_postgres::{PostgresStore, Recorded, sql};
use zego_record_receiver::{Claim, ClaimOutcome, DeliveryStore, Settled, Settlement};
use zego_record_test_servers::Postgres;
use zego_record_testkit::CallbackBuilder;

#[tokio::test]
async fn the_first_transaction_that_commits_makes_the_delivery_done() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store, other]: [PostgresStore; 2] = handles(server).await;
    let mut client = connect(server).await;
    let recording = recording("first");
    let claim = claim_of(&recording);
    assert!(is_run(&store.claim(&claim).await.unwrap()));
    for expected in [Recorded::First, Recorded::Again] {
        let transaction = client.transaction().await.unwrap();
        let recorded = store.record_in(&transaction, &recording).await.unwrap();
        assert_eq!(recorded, expected);
        transaction.commit().await.unwrap();
        let later = other.claim(&claim_of(&recording)).await.unwrap();
        assert_eq!(later, ClaimOutcome::Done);
    }
    for settlement in [Settlement::Failed, Settlement::Extend, Settlement::Done] {
        let settled = store.settle(&claim, settlement).await.unwrap();
        assert_eq!(settled, Settled::Stale, "{settlement:?}");
    }
    let later = other.claim(&claim_of(&recording)).await.unwrap();
    assert_eq!(later, ClaimOutcome::Done);
}

#[tokio::test]
async fn it_rolls_back_with_the_transaction_and_what_stands_in_it() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store]: [PostgresStore; 1] = handles(server).await;
    let mut client = connect(server).await;
    let lessons = "CREATE TEMPORARY TABLE lesson (name text)";
    client.batch_execute(lessons).await.unwrap();
    let (claimed, unclaimed) = (recording("claimed"), recording("unclaimed"));
    let claim = claim_of(&claimed);
    assert!(is_run(&store.claim(&claim).await.unwrap()));

    let transaction = client.transaction().await.unwrap();
    for recording in [&claimed, &unclaimed] {
        let lesson = "INSERT INTO lesson VALUES ('a lesson')";
        transaction.batch_execute(lesson).await.unwrap();
        let recorded = store.record_in(&transaction, recording).await.unwrap();
        assert_eq!(recorded, Recorded::First);
    }
    transaction.rollback().await.unwrap();
    let count = "SELECT count(*) FROM lesson";
    let row = client.query_typed_one(count, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);

    let later = store.claim(&claim_of(&claimed)).await.unwrap();
    assert_eq!(later, ClaimOutcome::Busy, "its owner still holds it");
    assert!(is_run(&store.claim(&claim_of(&unclaimed)).await.unwrap()));
    let settled = store.settle(&claim, Settlement::Failed).await.unwrap();
    assert_eq!(settled, Settled::Applied);
    assert!(is_run(&store.claim(&claim_of(&claimed)).await.unwrap()));
}

/// For a new delivery, and for one whose claim is over: the claim would run if it did not meet the lock.
#[tokio::test]
async fn a_claim_that_meets_the_lock_never_runs_beside_the_transaction() {
    const TIMEOUT: Duration = Duration::from_millis(400);
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let open = async |timeout| {
        let builder = PostgresStore::builder().schema(&schema).timeout(timeout);
        builder.connect(&server.url()).await.unwrap()
    };
    let store = open(TIMEOUT).await;
    let patient = open(Duration::from_secs(60)).await;
    let mut client = connect(server).await;
    for is_claimed in [false, true] {
        for commits in [false, true] {
            let recording = recording(&format!("{is_claimed} {commits}"));
            if is_claimed {
                let claim = claim_of(&recording);
                assert!(is_run(&store.claim(&claim).await.unwrap()));
                store.settle(&claim, Settlement::Failed).await.unwrap();
            }
            let transaction = client.transaction().await.unwrap();
            let recorded = store.record_in(&transaction, &recording).await.unwrap();
            assert_eq!(recorded, Recorded::First);

            let begin = Instant::now();
            let met = store.claim(&claim_of(&recording)).await.unwrap();
            let waited = begin.elapsed();
            assert_eq!(met, ClaimOutcome::Busy);
            assert!(waited >= TIMEOUT, "{waited:?}");
            assert!(waited < TIMEOUT + Duration::from_secs(5), "{waited:?}");

            // One that is waiting when the transaction ends sees how it has ended.
            let waiting = tokio::spawn({
                let (store, claim) = (patient.clone(), claim_of(&recording));
                async move { store.claim(&claim).await.unwrap() }
            });
            tokio::time::sleep(TIMEOUT / 4).await;
            assert!(!waiting.is_finished());
            if commits {
                transaction.commit().await.unwrap();
            } else {
                transaction.rollback().await.unwrap();
            }
            let outcome = waiting.await.unwrap();
            if commits {
                assert_eq!(outcome, ClaimOutcome::Done);
            } else {
                assert!(is_run(&outcome), "{outcome:?}");
            }
        }
    }
}

#[tokio::test]
async fn of_two_transactions_at_once_one_is_first() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store]: [PostgresStore; 1] = handles(server).await;
    let (mut one, mut two) = (connect(server).await, connect(server).await);
    let recording = recording("two at once");
    let transaction = one.transaction().await.unwrap();
    let recorded = store.record_in(&transaction, &recording).await.unwrap();
    assert_eq!(recorded, Recorded::First);
    let second = tokio::spawn({
        let (store, recording) = (store.clone(), recording.clone());
        async move {
            let transaction = two.transaction().await.unwrap();
            store.record_in(&transaction, &recording).await.unwrap()
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!second.is_finished());
    transaction.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), Recorded::Again);
}

/// What is documented: it fails rather than mark a delivery that its snapshot does not see.
#[tokio::test]
async fn in_an_old_snapshot_it_fails_and_the_delivery_stays_as_it_is() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store]: [PostgresStore; 1] = handles(server).await;
    let mut client = connect(server).await;
    let recording = recording("snapshot");
    let begin = client.build_transaction();
    let transaction = begin
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .await
        .unwrap();
    transaction.batch_execute("SELECT 1").await.unwrap();
    assert!(is_run(&store.claim(&claim_of(&recording)).await.unwrap()));
    assert!(store.record_in(&transaction, &recording).await.is_err());
    transaction.rollback().await.unwrap();
    let later = store.claim(&claim_of(&recording)).await.unwrap();
    assert_eq!(later, ClaimOutcome::Busy);
}

#[tokio::test]
async fn the_statement_alone_does_the_same() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let builder = PostgresStore::builder().schema(&schema);
    let store = builder.connect(&server.url()).await.unwrap();
    let client = connect(server).await;
    let recording = recording("statement");
    let key = recording.delivery_key();
    let event = sql::event_hash(&recording.event_id());
    for expected in [true, false] {
        let row = client
            .query_typed_one(
                &sql::in_schema(sql::RECORD, &schema),
                &[
                    (&key.as_bytes().as_slice(), Type::BYTEA),
                    (&event.as_slice(), Type::BYTEA),
                    (&60_000_000_i64, Type::INT8),
                ],
            )
            .await
            .unwrap();
        assert_eq!(row.get::<_, bool>(0), expected);
    }
    let later = store.claim(&claim_of(&recording)).await.unwrap();
    assert_eq!(later, ClaimOutcome::Done);
}

fn recording(stream: &str) -> RecordCallback {
    CallbackBuilder::new()
        .field("stream_alias", stream)
        .field("replay_url", format!("https://vod.example.com/{stream}"))
        .build()
}

fn claim_of(recording: &RecordCallback) -> Claim {
    Claim::new(recording.delivery_key(), recording.event_id(), owner())
        .with_lease(Duration::from_secs(3_600))
}

fn is_run(outcome: &ClaimOutcome) -> bool {
    matches!(outcome, ClaimOutcome::Run(_))
}

/// A connection of the user's own.
async fn connect(server: &Postgres) -> Client {
    let (client, connection) = zego_record_postgres::tokio_postgres::connect(&server.url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}
