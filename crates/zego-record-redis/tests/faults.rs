//! Servers that crash, forget, do not answer, or are replaced by another one.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::time::Duration;

use common::proxy::{Fault, Proxy};
use common::{ask, assert_says, builder, claim, is_run, open, redis_cmd};
use zego_record_receiver::{
    Binding, ClaimOutcome, DeliveryStore, ReplayCheck, ReplayGuard, Settled, Settlement,
    StoreErrorKind,
};
use zego_record_redis::RedisStore;
use zego_record_test_servers::Redis;

const KEPT: Duration = Duration::from_secs(3_600);
/// Long enough for any answer that comes, short enough to wait for those that do not.
const SHORT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn with_an_append_only_file_a_crash_forgets_nothing() {
    let Some(server) = Redis::start(&["appendfsync=always"]) else {
        return;
    };
    let store = open(&server, "a").await;
    let mut held = Vec::new();
    for round in 0..3_u64 {
        for number in round * 50..round * 50 + 50 {
            let claim = claim(number);
            assert!(is_run(&store.claim(&claim).await.unwrap()));
            if number % 2 == 0 {
                store.settle(&claim, Settlement::Done).await.unwrap();
            }
            held.push((number, number % 2 == 0));
        }
        server.kill();
        let error = store.claim(&claim(round)).await.unwrap_err();
        assert_says(
            &error,
            StoreErrorKind::Unavailable,
            "no connection to Redis",
        );
        server.resume();
        for (number, is_done) in &held {
            let expected = if *is_done {
                ClaimOutcome::Done
            } else {
                ClaimOutcome::Busy
            };
            let outcome = store.claim(&claim(*number)).await.unwrap();
            assert_eq!(outcome, expected, "delivery {number}");
        }
    }
}

/// As the front page has it: handlers run a second time, and nothing worse happens.
#[tokio::test]
async fn without_an_append_only_file_a_crash_forgets_and_the_store_goes_on() {
    let Some(server) = Redis::start(&["appendonly=no"]) else {
        return;
    };
    let store = open(&server, "a").await;
    let (done, running) = (claim(1), claim(2));
    store.settle(&done, Settlement::Done).await.unwrap();
    assert!(is_run(&store.claim(&running).await.unwrap()));
    server.kill();
    server.resume();
    // Its handler has run meanwhile, and says so first.
    let settled = store.settle(&running, Settlement::Done).await.unwrap();
    assert_eq!(settled, Settled::Applied);
    assert_eq!(store.claim(&claim(2)).await.unwrap(), ClaimOutcome::Done);
    assert!(is_run(&store.claim(&done).await.unwrap()));
}

#[tokio::test]
async fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let Some(server) = Redis::start(&[]) else {
        return;
    };
    let store = open(&server, "a").await;
    for number in 0..5_u8 {
        let claim = claim(u64::from(number));
        server.command(&["SCRIPT", "FLUSH"]);
        assert!(is_run(&store.claim(&claim).await.unwrap()));
        server.command(&["SCRIPT", "FLUSH"]);
        let settled = store.settle(&claim, Settlement::Done).await.unwrap();
        assert_eq!(settled, Settled::Applied);
        server.command(&["SCRIPT", "FLUSH"]);
        let check = ReplayCheck::new([number; 20], [1; 16], KEPT);
        assert_eq!(store.bind(&check).await.unwrap(), Binding::First);
    }
    // Otherwise a step is one round trip.
    let before = calls(&server).await;
    for number in 10..20 {
        assert!(is_run(&store.claim(&claim(number)).await.unwrap()));
    }
    let after = calls(&server).await;
    let sent = (after.0 - before.0, after.1 - before.1);
    assert_eq!(sent, (10, 1), "calls by hash, and in full after the flush");
}

/// How often scripts were called by hash and in full.
async fn calls(server: &Redis) -> (u32, u32) {
    let info: String = ask(server, redis_cmd("INFO").arg("commandstats")).await;
    let of = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        let calls = line.map_or("0", |line| line.split(',').next().unwrap());
        calls.parse().unwrap()
    };
    (of("cmdstat_evalsha:calls="), of("cmdstat_eval:calls="))
}

#[tokio::test]
async fn a_step_whose_answer_is_lost_is_found_by_the_next_try_on_a_new_connection() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let proxy = Proxy::start(server).await;
    let prefix = server.new_prefix();
    let store = builder(&prefix).timeout(SHORT);
    let store = store.connect(&proxy.url(server)).await.unwrap();
    let direct = open(server, &prefix).await;
    run_each_script(&store).await;

    let lost = claim(1);
    proxy.set(Fault::LoseAnswers);
    let error = store.claim(&lost).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Timeout, "did not answer in time");
    assert_eq!(direct.claim(&claim(1)).await.unwrap(), ClaimOutcome::Busy);
    let found = store.claim(&lost).await.unwrap();
    assert!(is_run(&found), "{found:?}");

    proxy.set(Fault::LoseAnswers);
    let error = store.settle(&lost, Settlement::Done).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Timeout, "did not answer in time");
    let settled = store.settle(&lost, Settlement::Done).await.unwrap();
    assert_eq!(settled, Settled::Stale);
    assert_eq!(store.claim(&claim(1)).await.unwrap(), ClaimOutcome::Done);

    let check = ReplayCheck::new([7; 20], [1; 16], KEPT);
    proxy.set(Fault::LoseAnswers);
    let error = store.bind(&check).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Timeout, "did not answer in time");
    assert_eq!(store.bind(&check).await.unwrap(), Binding::Same);
    assert_eq!(
        proxy.accepted(),
        4,
        "one connection, and one for each fault"
    );
}

/// A receiver may be less patient than the store.
#[tokio::test]
async fn a_connection_that_does_not_answer_is_replaced_although_all_callers_have_gone() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let proxy = Proxy::start(server).await;
    let store = builder(&server.new_prefix()).timeout(SHORT);
    let store = store.connect(&proxy.url(server)).await.unwrap();
    run_each_script(&store).await;
    proxy.set(Fault::LoseAnswers);
    let abandoned = claim(1);
    tokio::select! {
        biased;
        claimed = store.claim(&abandoned) => panic!("{claimed:?}"),
        () = proxy.lost(1) => {}
    }
    proxy.closed(1).await;
    assert!(is_run(&store.claim(&claim(2)).await.unwrap()));
    assert_eq!(proxy.accepted(), 2);
}

/// The request has arrived, so that it is done twice; no step minds.
#[tokio::test]
async fn a_connection_that_is_cut_is_replaced_within_the_step() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let proxy = Proxy::start(server).await;
    let store = builder(&server.new_prefix());
    let store = store.connect(&proxy.url(server)).await.unwrap();
    run_each_script(&store).await;
    let claim = claim(1);
    proxy.set(Fault::CutAnswers);
    let run = store.claim(&claim).await.unwrap();
    assert!(is_run(&run));
    proxy.set(Fault::CutAnswers);
    let check = ReplayCheck::new([7; 20], [1; 16], KEPT);
    assert_eq!(store.bind(&check).await.unwrap(), Binding::Same);
    proxy.set(Fault::CutAnswers);
    store.settle(&claim, Settlement::Failed).await.unwrap();
    let ClaimOutcome::Run(lease) = store.claim(&claim).await.unwrap() else {
        panic!("not run")
    };
    assert_eq!(lease.epoch, 2);
    assert_eq!(proxy.accepted(), 4);
}

#[tokio::test]
async fn a_server_that_pauses_is_waited_for_no_longer_than_asked() {
    let Some(server) = Redis::start(&[]) else {
        return;
    };
    let store = builder("a").timeout(SHORT).connect(&server.url()).await;
    let store = store.unwrap();
    let paused = claim(1);
    server.command(&["CLIENT", "PAUSE", "3600000", "WRITE"]);
    let error = store.claim(&paused).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Timeout, "did not answer in time");
    server.command(&["CLIENT", "UNPAUSE"]);
    // Whether the server still does what it had received is open; its owner finds out.
    assert!(is_run(&store.claim(&paused).await.unwrap()));
    assert_eq!(store.claim(&claim(1)).await.unwrap(), ClaimOutcome::Busy);
}

#[tokio::test]
async fn a_failover_that_forgets_repeats_handlers_and_loses_nothing() {
    let Some(server) = Redis::start(&[]) else {
        return;
    };
    let replica = server.replica();
    let (old, new): (RedisStore, RedisStore);
    old = open(&server, "a").await;
    let known = claim(1);
    old.settle(&known, Settlement::Done).await.unwrap();
    server.command(&["WAIT", "1", "0"]);
    // The replica no longer gets anything, and nobody notices.
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    let (done, running) = (claim(2), claim(3));
    assert!(is_run(&old.claim(&done).await.unwrap()));
    let settled = old.settle(&done, Settlement::Done).await.unwrap();
    assert_eq!(settled, Settled::Applied, "acknowledged, and forgotten");
    assert!(is_run(&old.claim(&running).await.unwrap()));
    server.kill();
    assert!(old.claim(&claim(4)).await.is_err());

    new = open(&replica, "a").await;
    assert_eq!(new.claim(&known).await.unwrap(), ClaimOutcome::Done);
    let again = [new.claim(&claim(2)).await, new.claim(&claim(3)).await];
    for outcome in again {
        assert!(is_run(&outcome.unwrap()), "excused by the failover");
    }
    // The first run ends on the new server, whose second run has the lease: done is true all the same.
    let late = new.settle(&running, Settlement::Done).await.unwrap();
    assert_eq!(late, Settled::Applied);
    assert_eq!(new.claim(&claim(3)).await.unwrap(), ClaimOutcome::Done);
}

#[tokio::test]
async fn an_address_that_a_failover_has_moved_is_followed_within_the_step() {
    let Some(server) = Redis::start(&[]) else {
        return;
    };
    let replica = server.replica();
    let proxy = Proxy::start(&server).await;
    let store = builder("a").connect(&proxy.url(&server)).await.unwrap();
    assert!(is_run(&store.claim(&claim(1)).await.unwrap()));
    server.command(&["WAIT", "1", "0"]);
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    server.command(&["REPLICAOF", "127.0.0.1", &replica.port().to_string()]);
    proxy.lead_to(&replica);
    // The old primary still answers on the old connection.
    assert_eq!(store.claim(&claim(1)).await.unwrap(), ClaimOutcome::Busy);
    assert!(is_run(&store.claim(&claim(2)).await.unwrap()));
    assert_eq!(proxy.accepted(), 2);
}

/// So that the server knows them, and each step is one request.
async fn run_each_script(store: &RedisStore) {
    let claim = claim(0);
    assert!(is_run(&store.claim(&claim).await.unwrap()));
    store.settle(&claim, Settlement::Done).await.unwrap();
    let check = ReplayCheck::new([0; 20], [1; 16], KEPT);
    store.bind(&check).await.unwrap();
}
