//! Races across handles, and what cuts their connections meanwhile.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::sync::Arc;

use common::{claim, handles};
use tokio::task::JoinSet;
use zego_record_postgres::PostgresStore;
use zego_record_receiver::{
    Binding, ClaimOutcome, DeliveryStore, ReplayCheck, ReplayGuard, Settlement,
};
use zego_record_test_servers::Postgres;

const KEYS: u64 = 300;
const TASKS: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn a_race_across_four_handles_has_one_winner_for_each_key() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let stores: [PostgresStore; 4] = handles(server).await;
    for number in 0..KEYS {
        let mut race = JoinSet::new();
        for task in 0..TASKS {
            let store = stores[task % stores.len()].clone();
            race.spawn(async move { store.claim(&claim(number)).await.unwrap() });
        }
        let outcomes = race.join_all().await;
        let wins = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, ClaimOutcome::Run(_)))
            .count();
        let busy = outcomes
            .iter()
            .filter(|outcome| **outcome == ClaimOutcome::Busy)
            .count();
        assert_eq!((wins, busy), (1, TASKS - 1), "key {number}: {outcomes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signature_is_first_once() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let stores: [PostgresStore; 4] = handles(server).await;
    for number in 0..40_u8 {
        let mut race = JoinSet::new();
        for task in 0..TASKS {
            let store = stores[task % stores.len()].clone();
            let content = [u8::try_from(task % 2).unwrap(); 16];
            let check = ReplayCheck::new([number; 20], content, std::time::Duration::from_secs(60));
            race.spawn(async move { (content, store.bind(&check).await.unwrap()) });
        }
        let bound = race.join_all().await;
        let firsts: Vec<_> = bound
            .iter()
            .filter(|(_, binding)| *binding == Binding::First)
            .collect();
        assert_eq!(firsts.len(), 1);
        for (content, binding) in &bound {
            assert_eq!(*binding == Binding::Conflict, *content != firsts[0].0);
        }
    }
}

/// Whatever is cut: a claim that was granted is the only one, and what was said to be done stays so.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_terminated_grant_nothing_twice_and_lose_nothing() {
    let Some(server) = Postgres::start(&[]) else {
        return;
    };
    let server = Arc::new(server);
    let stores: [PostgresStore; 4] = handles(&server).await;
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut cut = 0;
    let (mut failed, mut done) = (0, Vec::new());
    for number in 0..60 {
        let mut race = JoinSet::new();
        for task in 0..8 {
            let store = stores[task % stores.len()].clone();
            race.spawn(async move {
                let claim = claim(number);
                let outcome = store.claim(&claim).await;
                let settled = match outcome {
                    Ok(ClaimOutcome::Run(_)) => {
                        store.settle(&claim, Settlement::Done).await.is_ok()
                    }
                    _ => false,
                };
                (outcome, settled)
            });
        }
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
                    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() \
                    ORDER BY random() LIMIT 1) AS one";
        cut += client.query_one(kill, &[]).await.unwrap().get::<_, i64>(0);
        let outcomes = race.join_all().await;
        let wins = outcomes
            .iter()
            .filter(|(outcome, _)| matches!(outcome, Ok(ClaimOutcome::Run(_))))
            .count();
        assert!(wins <= 1, "key {number}: {outcomes:?}");
        failed += outcomes
            .iter()
            .filter(|(outcome, _)| outcome.is_err())
            .count();
        if outcomes.iter().any(|(_, settled)| *settled) {
            done.push(number);
        }
    }
    assert!(
        cut > 0 && failed > 0 && !done.is_empty(),
        "{cut} cut, {failed} failed, {} done",
        done.len()
    );
    for number in done {
        assert_eq!(
            stores[0].claim(&claim(number)).await.unwrap(),
            ClaimOutcome::Done
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_server_forgets_nothing_that_was_said() {
    let Some(server) = Postgres::start(&[]) else {
        return;
    };
    let [store] = handles(&server).await;
    let mut held = Vec::new();
    for round in 0..3_u64 {
        for number in round * 100..round * 100 + 100 {
            let claim = claim(number);
            assert!(matches!(
                store.claim(&claim).await.unwrap(),
                ClaimOutcome::Run(_)
            ));
            if number % 2 == 0 {
                store.settle(&claim, Settlement::Done).await.unwrap();
            }
            held.push((number, number % 2 == 0));
        }
        server.stop_immediately();
        store.claim(&claim(round)).await.unwrap_err();
        server.resume();
        for (number, is_done) in &held {
            let expected = if *is_done {
                ClaimOutcome::Done
            } else {
                ClaimOutcome::Busy
            };
            assert_eq!(
                store.claim(&claim(*number)).await.unwrap(),
                expected,
                "delivery {number}"
            );
        }
    }
}

/// Drops each call after one more poll than the last, until one is done by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_at_any_await_leaves_no_connection_inside_a_transaction() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    // One connection: the next call gets the very one that the dropped call had.
    let builder = PostgresStore::builder().schema(&schema).max_connections(1);
    let store = builder.connect(&server.url()).await.unwrap();
    let [other]: [PostgresStore; 1] = [PostgresStore::builder()
        .schema(&schema)
        .connect(&server.url())
        .await
        .unwrap()];
    for polls in 0..4_u64 {
        for repeat in 0..25 {
            let number = polls * 100 + repeat * 2;
            let dropped = claim(number);
            {
                let mut call = std::pin::pin!(store.claim(&dropped));
                let mut left = polls;
                std::future::poll_fn(|context| {
                    if left == 0 {
                        return std::task::Poll::Ready(());
                    }
                    left -= 1;
                    call.as_mut().poll(context).map(drop)
                })
                .await;
            }
            let next = claim(number + 1);
            assert!(matches!(
                store.claim(&next).await.unwrap(),
                ClaimOutcome::Run(_)
            ));
            // If the connection had come back inside a transaction, nobody else would see this.
            let rival = claim(number + 1);
            assert_eq!(other.claim(&rival).await.unwrap(), ClaimOutcome::Busy);
        }
    }
}
