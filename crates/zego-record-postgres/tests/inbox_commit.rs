//! The success of a run in one transaction with what its handler writes.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use common::{LONG, accept, claim_due, connect, owner, settle};
use tokio::task::JoinSet;
use tokio_postgres::{Client, Transaction};
use zego_record_inbox::{
    AttemptOutcome, ClaimDue, Claimed, Delivery, EntryState, Filter, InboxStore, Next, Note,
    RunEnded,
};
use zego_record_postgres::{LeaseLost, PostgresStore};
use zego_record_receiver::{BoxFuture, HandlerError, Settled, StoreError};
use zego_record_test_servers::Postgres;

/// A store, and a table of its user.
struct Shop {
    store: PostgresStore,
    client: Client,
    insert: String,
    count: String,
}

impl Shop {
    /// With so many connections.
    async fn new(server: &Postgres, connections: usize) -> Self {
        let schema = server.new_schema();
        let builder = PostgresStore::builder().schema(&schema);
        let store = builder.max_connections(connections);
        let store = store.connect(&server.url()).await.unwrap();
        let client = connect(server).await;
        let table = format!("CREATE TABLE {schema}.effect (id bigint NOT NULL)");
        client.batch_execute(&table).await.unwrap();
        Self {
            store,
            client,
            insert: format!("INSERT INTO {schema}.effect VALUES ($1)"),
            count: format!("SELECT count(*) FROM {schema}.effect WHERE id = $1"),
        }
    }

    async fn effects(&self, id: i64) -> i64 {
        self.client
            .query_one(&self.count, &[&id])
            .await
            .unwrap()
            .get(0)
    }

    async fn claimed(&self, name: &str) -> Claimed {
        accept(&self.store, name).await;
        claim_due(&self.store, LONG, 1).await.remove(0)
    }

    async fn commit(&self, claimed: &Claimed) -> Result<(), HandlerError> {
        commit(&self.store, &self.insert, claimed).await
    }

    async fn state(&self, claimed: &Claimed) -> EntryState {
        let details = self.store.get(&claimed.callback.key).await.unwrap();
        details.unwrap().entry.state
    }
}

fn delivery(claimed: &Claimed) -> Delivery {
    let callback = claimed.callback.restore().unwrap();
    Delivery::new(callback).with_hold(claimed.hold)
}

async fn commit(
    store: &PostgresStore,
    insert: &str,
    claimed: &Claimed,
) -> Result<(), HandlerError> {
    store
        .commit_with(&delivery(claimed), async |transaction| {
            transaction.execute(insert, &[&claimed.hold.id]).await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn the_effect_and_the_success_are_committed_together() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let shop = Shop::new(server, 2).await;
    let claimed = shop.claimed("once").await;
    shop.commit(&claimed).await.unwrap();
    assert_eq!(shop.effects(claimed.hold.id).await, 1);
    let details = shop
        .store
        .get(&claimed.callback.key)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(details.entry.state, EntryState::Done);
    assert_eq!(details.attempts[0].outcome, AttemptOutcome::Done);
    assert!(details.attempts[0].ended_at.is_some());

    // What the worker does with the end of the handler changes nothing.
    for next in [Next::Done, Next::Retry(Duration::ZERO), Next::Dead] {
        let settled = settle(&shop.store, &claimed.hold, next).await;
        assert_eq!(settled, Settled::Stale, "{next:?}");
    }
    let again = shop.commit(&claimed).await.unwrap_err();
    let again = again.reason().downcast_ref::<StoreError>().unwrap();
    assert!(LeaseLost::is_cause_of(again));
    assert_eq!(shop.effects(claimed.hold.id).await, 1);
}

#[tokio::test]
async fn a_run_that_was_taken_over_commits_nothing() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let shop = Shop::new(server, 2).await;
    accept(&shop.store, "taken over").await;
    let late = claim_due(&shop.store, Duration::ZERO, 1).await.remove(0);
    let heir = claim_due(&shop.store, LONG, 1).await.remove(0);
    let mut was_run = false;
    let lost: Result<(), StoreError> = shop
        .store
        .commit_with(&delivery(&late), async |_| {
            was_run = true;
            Ok(())
        })
        .await;
    assert!(LeaseLost::is_cause_of(&lost.unwrap_err()));
    assert!(!was_run);
    assert_eq!(shop.state(&heir).await, EntryState::Running);
    shop.commit(&heir).await.unwrap();
    for next in [Next::Dead, Next::Discarded] {
        let claimed = shop.claimed(&format!("{next:?}")).await;
        settle(&shop.store, &claimed.hold, next).await;
        shop.commit(&claimed).await.unwrap_err();
        assert_eq!(shop.effects(claimed.hold.id).await, 0, "{next:?}");
    }
    let erased = shop.claimed("erased").await;
    shop.store.erase(&erased.callback.key).await.unwrap();
    shop.commit(&erased).await.unwrap_err();
    assert_eq!(shop.effects(erased.hold.id).await, 0);
}

#[tokio::test]
async fn a_handler_that_fails_leaves_nothing_and_keeps_its_lease() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    // One connection: it must come back, and outside of a transaction.
    let shop = Shop::new(server, 1).await;
    let claimed = shop.claimed("fails").await;
    let (insert, id) = (&shop.insert, claimed.hold.id);
    let delivery = delivery(&claimed);
    let failed: Result<(), HandlerError> = shop
        .store
        .commit_with(&delivery, async |transaction| {
            transaction.execute(insert, &[&id]).await?;
            Err(HandlerError::discard("not wanted"))
        })
        .await;
    assert!(failed.unwrap_err().is_discard());
    assert_eq!(shop.state(&claimed).await, EntryState::Running);

    // PostgreSQL's COMMIT calls this a success.
    let ignored: Result<(), HandlerError> = shop
        .store
        .commit_with(&delivery, async |transaction| {
            transaction.execute(insert, &[&id]).await?;
            let _ = transaction.batch_execute("SELECT no_such_column").await;
            Ok(())
        })
        .await;
    assert!(ignored.is_err());
    assert_eq!(shop.state(&claimed).await, EntryState::Running);
    assert_eq!(shop.effects(id).await, 0);

    let store = shop.store.clone();
    let panicked = tokio::spawn(async move {
        let work = async |_: &Transaction<'_>| -> Result<(), StoreError> { panic!("a handler") };
        store.commit_with(&delivery, work).await
    });
    assert!(panicked.await.unwrap_err().is_panic());
    shop.commit(&claimed).await.unwrap();
    assert_eq!(shop.effects(id).await, 1);
}

/// Boxed and sent to another thread, as a worker does with a handler.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_commits_can_be_sent() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let shop = Shop::new(server, 2).await;
    let claimed = shop.claimed("sent").await;
    let (store, insert, delivery) = (shop.store.clone(), shop.insert.clone(), delivery(&claimed));
    let id = claimed.hold.id;
    let handler: BoxFuture<'static, Result<i64, HandlerError>> = Box::pin(async move {
        store
            .commit_with(&delivery, async |transaction| {
                transaction.execute(&insert, &[&id]).await?;
                let row = transaction.query_one("SELECT 7::bigint", &[]).await?;
                Ok(row.get(0))
            })
            .await
    });
    assert_eq!(tokio::spawn(handler).await.unwrap().unwrap(), 7);
    assert_eq!(shop.effects(id).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_dropped_at_any_await_is_whole_or_nothing() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let shop = Shop::new(server, 1).await;
    let (mut done, mut undone) = (0, 0);
    for polls in 0..14 {
        for repeat in 0..4 {
            let claimed = shop.claimed(&format!("{polls} {repeat}")).await;
            {
                let mut commit = std::pin::pin!(shop.commit(&claimed));
                let mut left = polls;
                std::future::poll_fn(|context| {
                    if left == 0 {
                        return Poll::Ready(());
                    }
                    left -= 1;
                    commit.as_mut().poll(context).map(drop)
                })
                .await;
            }
            // The only connection, and its lock is gone; what was committed is stale.
            let again = RunEnded::new(Next::Retry(LONG), Note::default());
            let settled = InboxStore::settle(&shop.store, &claimed.hold, &again).await;
            let effects = shop.effects(claimed.hold.id).await;
            match settled.unwrap() {
                Settled::Stale => {
                    assert_eq!(shop.state(&claimed).await, EntryState::Done);
                    assert_eq!(effects, 1, "{polls} polls");
                    done += 1;
                }
                Settled::Applied => {
                    assert_eq!(effects, 0, "{polls} polls");
                    undone += 1;
                }
            }
        }
    }
    assert!(done > 0 && undone > 0, "{done} done, {undone} not");
}

/// Workers whose connections are cut all the time: each callback has its effect once.
#[tokio::test(flavor = "multi_thread")]
async fn effects_happen_exactly_once_while_connections_are_terminated() {
    const CALLBACKS: u64 = 60;
    let Some(server) = Postgres::start(&[]) else {
        return;
    };
    let shop = Arc::new(Shop::new(&server, 8).await);
    for number in 0..CALLBACKS {
        accept(&shop.store, number).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        workers.spawn(work(Arc::clone(&shop), Arc::clone(&stop)));
    }
    let client = connect(&server).await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
                WHERE backend_type = 'client backend' AND pid <> ALL ($1) \
                ORDER BY random() LIMIT 1) AS one";
    let mut spared = Vec::new();
    for client in [&client, &shop.client] {
        let row = client.query_one("SELECT pg_backend_pid()", &[]).await;
        spared.push(row.unwrap().get::<_, i32>(0));
    }
    let mut cut = 0;
    loop {
        let row = client.query_one(kill, &[&spared]).await.unwrap();
        cut += row.get::<_, i64>(0);
        if let Ok(stats) = shop.store.stats().await
            && stats.done == CALLBACKS
        {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let failed: u32 = workers.join_all().await.into_iter().sum();
    assert!(cut > 0 && failed > 0, "{cut} cut, {failed} failed");
    let done = Filter::in_state(EntryState::Done);
    let done = loop {
        if let Ok(done) = shop.store.list(&done, None, 1_000).await {
            break done;
        }
    };
    assert_eq!(done.len() as u64, CALLBACKS);
    for entry in done {
        assert_eq!(shop.effects(entry.id).await, 1, "{}", entry.stream_alias);
    }
}

/// A worker with leases that end while it waits; returns how many calls failed.
async fn work(shop: Arc<Shop>, stop: Arc<AtomicBool>) -> u32 {
    let (owner, mut failed) = (owner(), 0);
    while !stop.load(Ordering::Relaxed) {
        let claim = ClaimDue::new(owner, Duration::from_millis(100), 3);
        let Ok(claimed) = shop.store.claim_due(&claim).await else {
            failed += 1;
            continue;
        };
        for claimed in claimed {
            if shop.commit(&claimed).await.is_err() {
                failed += 1;
                let again = RunEnded::new(Next::Retry(Duration::ZERO), Note::default());
                let _ = InboxStore::settle(&shop.store, &claimed.hold, &again).await;
            }
        }
    }
    failed
}
