//! A network that fails at a COMMIT: what is not known is an error, and the retry finds out.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::time::Duration;

use common::{LONG, accept, callback, claim_due, connect, owner, recording};
use zego_record_core::RecordCallback;
use zego_record_inbox::{ClaimDue, Delivery, EntryState, Hold, InboxStore, Next, Note, RunEnded};
use zego_record_postgres::{LeaseLost, PostgresStore};
use zego_record_receiver::{Accept, Accepted, BoxFuture, Settled, StoreError};
use zego_record_test_servers::{Fault, Postgres, Proxy};

/// Each fault, whether the server commits, and whether the client knows.
const FAULTS: [(Fault, bool, bool); 5] = [
    (Fault::CutBefore, false, false),
    (Fault::CutAfter, true, false),
    (Fault::SwallowCommit, false, false),
    (Fault::SwallowAnswer, true, false),
    (Fault::Delay(Duration::from_millis(200)), true, true),
];

struct Network {
    proxy: Proxy,
    /// By way of the proxy.
    store: PostgresStore,
    /// Not.
    other: PostgresStore,
    schema: String,
}

impl Network {
    async fn new(server: &Postgres) -> Self {
        let schema = server.new_schema();
        let builder = PostgresStore::builder().schema(&schema);
        let builder = builder.timeout(Duration::from_secs(1));
        let (proxy, url) = server.behind_proxy();
        Self {
            proxy,
            store: builder.clone().connect(&url).await.unwrap(),
            other: builder.connect(&server.url()).await.unwrap(),
            schema,
        }
    }

    /// The outcome at a fault, and that of the retries.
    async fn call<'a, T>(
        &self,
        fault: Fault,
        request: impl Fn() -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> (Result<T, StoreError>, T) {
        self.proxy.fail_next_commit(fault);
        let first = request().await;
        assert!(self.proxy.has_failed(), "{fault:?} did not happen");
        // A transaction that is cut off holds its locks until the server gives it up.
        for _ in 0..20 {
            if let Ok(second) = request().await {
                return (first, second);
            }
        }
        panic!("no retry succeeds after {fault:?}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_known_to_the_retry() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let network = Network::new(server).await;
    for (fault, commits, is_known) in FAULTS {
        let callback = callback(format!("{fault:?}"));
        let (first, second) = network
            .call(fault, || network.store.accept(&callback))
            .await;
        if is_known {
            assert_eq!(first.unwrap(), Accepted::New, "{fault:?}");
        } else {
            first.unwrap_err();
        }
        let expected = if commits {
            Accepted::Known
        } else {
            Accepted::New
        };
        assert_eq!(second, expected, "{fault:?}");
        let stored = network.other.get(&callback.key).await.unwrap();
        assert!(stored.is_some(), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_settled_is_stale_to_the_retry() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let network = Network::new(server).await;
    for (fault, commits, is_known) in FAULTS {
        for next in [Next::Done, Next::Dead, Next::Retry(LONG)] {
            accept(&network.other, format!("{fault:?} {next:?}")).await;
            let hold = claim_due(&network.other, LONG, 1).await[0].hold;
            let ended = RunEnded::new(next, Note::default());
            let settle = || InboxStore::settle(&network.store, &hold, &ended);
            let (first, second) = network.call(fault, settle).await;
            if is_known {
                assert_eq!(first.unwrap(), Settled::Applied, "{fault:?}");
            } else {
                first.unwrap_err();
            }
            let expected = if commits {
                Settled::Stale
            } else {
                Settled::Applied
            };
            assert_eq!(second, expected, "{fault:?}, {next:?}");
        }
    }
}

/// A claim that nobody knows of is taken over when its lease ends.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_claimed_in_vain_is_taken_over() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let network = Network::new(server).await;
    for (fault, commits, _) in FAULTS {
        let key = accept(&network.other, format!("{fault:?}")).await.key;
        let claim = ClaimDue::new(owner(), Duration::ZERO, 1);
        network.proxy.fail_next_commit(fault);
        let first = network.store.claim_due(&claim).await;
        assert!(network.proxy.has_failed(), "{fault:?} did not happen");
        assert_eq!(first.is_ok(), matches!(fault, Fault::Delay(_)), "{fault:?}");
        // Its row is skipped as long as it is locked.
        let second = loop {
            if let [second] = claim_due(&network.store, LONG, 1).await.as_slice() {
                break second.clone();
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(second.callback.key, key);
        let expected = if commits { 2 } else { 1 };
        assert_eq!((second.hold.epoch, second.attempt), (expected, expected));
    }
}

/// As a worker does it: a run that fails is settled, and run again if that is applied.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_with_the_run_is_there_once() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let network = Network::new(server).await;
    let effects = format!("{}.effect", network.schema);
    let client = connect(server).await;
    let table = format!("CREATE TABLE {effects} (stream text)");
    client.batch_execute(&table).await.unwrap();
    for (fault, commits, is_known) in FAULTS {
        let recording = recording(format!("{fault:?}"));
        let key = accept(&network.other, format!("{fault:?}")).await.key;
        network.proxy.fail_next_commit(fault);
        let mut runs = 0;
        let state = loop {
            let claimed = claim_due(&network.other, LONG, 1).await;
            if let [claimed] = claimed.as_slice() {
                runs += 1;
                let result = handle(&network.store, &recording, claimed.hold, &effects).await;
                if let Err(error) = result {
                    assert!(!LeaseLost::is_cause_of(&error), "{fault:?}");
                    assert!(!is_known, "{fault:?}");
                    let again = RunEnded::new(Next::Retry(Duration::ZERO), Note::default());
                    // The lock of a transaction that is cut off, again.
                    while InboxStore::settle(&network.store, &claimed.hold, &again)
                        .await
                        .is_err()
                    {}
                }
            }
            let state = network.other.get(&key).await.unwrap().unwrap().entry.state;
            if state != EntryState::Waiting {
                break state;
            }
        };
        assert!(network.proxy.has_failed(), "{fault:?} did not happen");
        assert_eq!(state, EntryState::Done, "{fault:?}");
        assert_eq!(runs, if commits { 1 } else { 2 }, "{fault:?}");
        let count = format!("SELECT count(*) FROM {effects} WHERE stream = $1");
        let stream = recording.stream_alias();
        let row = client.query_one(&count, &[&stream]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 1, "{fault:?}");
    }
}

async fn handle(
    store: &PostgresStore,
    recording: &RecordCallback,
    hold: Hold,
    effects: &str,
) -> Result<(), StoreError> {
    let delivery = Delivery::new(recording.clone()).with_hold(hold);
    let insert = format!("INSERT INTO {effects} VALUES ($1)");
    store
        .commit_with(&delivery, async |transaction| {
            let stream = recording.stream_alias();
            transaction.execute(&insert, &[&stream]).await.unwrap();
            Ok(())
        })
        .await
}
