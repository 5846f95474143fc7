//! Races across handles, and what cuts their connections meanwhile.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use common::{claim, handles, is_run};
use tokio::task::JoinSet;
use zego_record_receiver::{
    Binding, ClaimOutcome, DeliveryStore, ReplayCheck, ReplayGuard, Settlement,
};
use zego_record_redis::RedisStore;
use zego_record_test_servers::Redis;

const KEYS: u64 = 300;
const TASKS: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn a_race_across_four_connections_has_one_winner_for_each_key() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let stores: [RedisStore; 4] = handles(server).await;
    for number in 0..KEYS {
        let mut race = JoinSet::new();
        for task in 0..TASKS {
            let store = stores[task % stores.len()].clone();
            race.spawn(async move { store.claim(&claim(number)).await.unwrap() });
        }
        let outcomes = race.join_all().await;
        let wins = outcomes.iter().filter(|outcome| is_run(outcome)).count();
        let busy = outcomes
            .iter()
            .filter(|outcome| **outcome == ClaimOutcome::Busy)
            .count();
        assert_eq!((wins, busy), (1, TASKS - 1), "key {number}: {outcomes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signature_is_first_once() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let stores: [RedisStore; 4] = handles(server).await;
    for number in 0..40_u8 {
        let mut race = JoinSet::new();
        for task in 0..TASKS {
            let store = stores[task % stores.len()].clone();
            let content = [u8::try_from(task % 2).unwrap(); 16];
            let check = ReplayCheck::new([number; 20], content, Duration::from_secs(60));
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

/// Of many contents about one file exactly one is the first, in whichever order they come.
#[tokio::test(flavor = "multi_thread")]
async fn contents_about_one_file_know_of_each_other_in_a_race() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let stores: [RedisStore; 4] = handles(server).await;
    for round in 0..40_u64 {
        let mut race = JoinSet::new();
        for task in 0..8 {
            let store = stores[task % stores.len()].clone();
            let mut claim = claim(round * 8 + task as u64);
            claim.event_id = format!("file of round {round}");
            race.spawn(async move { store.claim(&claim).await.unwrap() });
        }
        let outcomes = race.join_all().await;
        let unchanged = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, ClaimOutcome::Run(lease) if !lease.changed))
            .count();
        assert_eq!(unchanged, 1, "{outcomes:?}");
        assert!(outcomes.iter().all(is_run), "{outcomes:?}");
    }
}

/// Whatever is cut: a claim that was granted is the only one, and what was said to be done stays so.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_grant_nothing_twice_and_lose_nothing() {
    let Some(server) = Redis::start(&[]) else {
        return;
    };
    let stores: [RedisStore; 4] = handles(&server).await;
    let (mut cut, mut done) = (0, Vec::new());
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
        let killed = server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        cut += killed.trim_start_matches(':').parse::<u32>().unwrap();
        let outcomes = race.join_all().await;
        let wins = outcomes
            .iter()
            .filter(|(outcome, _)| outcome.as_ref().is_ok_and(is_run))
            .count();
        assert!(wins <= 1, "key {number}: {outcomes:?}");
        if outcomes.iter().any(|(_, settled)| *settled) {
            done.push(number);
        }
    }
    assert!(
        cut > 60 && done.len() > 30,
        "{cut} cut, {} done",
        done.len()
    );
    for number in done {
        assert_eq!(
            stores[0].claim(&claim(number)).await.unwrap(),
            ClaimOutcome::Done
        );
    }
}

/// Drops each call after one more poll than the last; the next call on the same connection gets its own
/// answer, not the one of the call that was dropped.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_at_any_await_leaves_the_connection_in_order() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let [store, other] = handles(server).await;
    for polls in 0..4_u64 {
        for repeat in 0..50 {
            let number = polls * 100 + repeat * 2;
            let dropped = claim(number);
            {
                let mut call = pin!(store.claim(&dropped));
                let mut left = polls;
                std::future::poll_fn(|context| {
                    if left == 0 {
                        return Poll::Ready(());
                    }
                    left -= 1;
                    call.as_mut().poll(context).map(drop)
                })
                .await;
            }
            let next = claim(number + 1);
            assert!(is_run(&store.claim(&next).await.unwrap()));
            let check = ReplayCheck::new([1; 20], [1; 16], Duration::from_secs(3_600));
            store.bind(&check).await.unwrap();
            let rival = claim(number + 1);
            assert_eq!(other.claim(&rival).await.unwrap(), ClaimOutcome::Busy);
            // The dropped one ran or did not; its owner is told the same again.
            assert!(is_run(&store.claim(&dropped).await.unwrap()));
        }
    }
}
