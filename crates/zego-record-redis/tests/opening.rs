//! Opening a store: which server is rejected or warned of, and what an error says.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::time::Duration;

use common::{ask, assert_says, builder, claim, is_run, open, redis_cmd};
use zego_record_receiver::{
    ClaimOutcome, DeliveryStore, ReplayCheck, ReplayGuard, Settled, Settlement, StoreErrorKind,
};
use zego_record_redis::RedisStore;
use zego_record_redis::redis::{AsyncConnectionConfig, Client};
use zego_record_test_servers::Redis;

#[tokio::test]
async fn an_error_says_what_to_do_and_never_a_password() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let wrong = server.url_with_login("", "hunter2");
    let error = RedisStore::connect(&wrong).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "check user and password");
    let none = format!("redis://127.0.0.1:{}", server.port());
    let error = RedisStore::connect(&none).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "check user and password");
    for url in [
        "redis://app:hunter2@127.0.0.1:port",
        "hunter2",
        "mysql://hunter2@a/b",
        "",
    ] {
        let error = RedisStore::connect(url).await.unwrap_err();
        assert_says(&error, StoreErrorKind::Config, "the URL is not understood");
    }
    let nobody = "redis://:hunter2@127.0.0.1:1";
    let error = RedisStore::connect(nobody).await.unwrap_err();
    assert_says(
        &error,
        StoreErrorKind::Unavailable,
        "no connection to Redis",
    );
    for prefix in ["", "a{b", "a}b", "a b", "é", &"a".repeat(65)] {
        let odd = RedisStore::builder().prefix(prefix);
        let error = odd.connect(&server.url()).await.unwrap_err();
        assert_says(&error, StoreErrorKind::Config, "the prefix must be");
    }
    let shown = format!("{:?}", open(server, "plain").await);
    assert!(!shown.contains("only-for-tests"), "{shown}");
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_needs_its_feature() {
    let error = RedisStore::connect("rediss://:hunter2@127.0.0.1").await;
    assert_says(&error.unwrap_err(), StoreErrorKind::Config, "feature `tls`");
}

#[tokio::test]
async fn unsafe_settings_are_warned_of() {
    let Some(server) = Redis::start(&["maxmemory-policy=allkeys-lru", "appendonly=no"]) else {
        return;
    };
    let store = open(&server, "a").await;
    let [append, policy] = store.warnings() else {
        panic!("{:?}", store.warnings())
    };
    assert!(append.contains("appendonly is off"), "{append}");
    assert!(
        policy.contains("maxmemory-policy is allkeys-lru"),
        "{policy}"
    );

    let Some(server) = Redis::shared() else {
        return;
    };
    assert_eq!(open(server, "a").await.warnings(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_replica_is_rejected_and_named_when_the_server_becomes_one() {
    let Some(server) = Redis::start(&[]) else {
        return;
    };
    let replica = server.replica();
    let error = RedisStore::connect(&replica.url()).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "the server is a replica");

    let store = open(&server, "a").await;
    assert!(is_run(&store.claim(&claim(1)).await.unwrap()));
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    let port = replica.port().to_string();
    server.command(&["REPLICAOF", "127.0.0.1", &port]);
    let error = store.claim(&claim(2)).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "a read-only replica");
    server.command(&["REPLICAOF", "NO", "ONE"]);
    assert!(is_run(&store.claim(&claim(2)).await.unwrap()));
}

#[tokio::test]
async fn the_rights_of_the_readme_are_enough_and_one_that_is_missing_is_named() {
    let Some(server) = Redis::start(&[]) else {
        return;
    };
    let readme = include_str!("../README.md");
    let rights = readme.split_once("needs `~zego_record:*").unwrap().1;
    let rights: Vec<_> = rights
        .split_once('`')
        .unwrap()
        .0
        .split_whitespace()
        .collect();
    let mut create = redis_cmd("ACL");
    create.arg("SETUSER").arg("app").arg("on").arg(">hunter2");
    let _: () = ask(&server, create.arg("~zego_record:*").arg(&rights)).await;
    let url = server.url_with_login("app", "hunter2");
    let store = RedisStore::connect(&url).await.unwrap();
    let claimed = claim(1);
    for settlement in [Settlement::Extend, Settlement::Failed, Settlement::Done] {
        assert!(is_run(&store.claim(&claimed).await.unwrap()));
        store.settle(&claimed, settlement).await.unwrap();
    }
    let gone = claim(2).with_retention(Duration::ZERO);
    assert!(is_run(&store.claim(&gone).await.unwrap()));
    store.settle(&gone, Settlement::Done).await.unwrap();
    let check = ReplayCheck::new([1; 20], [1; 16], Duration::from_secs(60));
    store.bind(&check).await.unwrap();

    for (number, right) in (10..).zip(&rights) {
        let without = right.replace('+', "-");
        let mut change = redis_cmd("ACL");
        let _: () = ask(&server, change.arg("SETUSER").arg("app").arg(&without)).await;
        let claim = claim(number).with_retention(Duration::ZERO);
        let (claimed, bound) = (store.claim(&claim).await, store.bind(&check).await);
        let settled = store.settle(&claim, Settlement::Done).await;
        let errors = [claimed.err(), bound.err(), settled.err()];
        match errors.into_iter().flatten().next() {
            Some(error) => assert_says(&error, StoreErrorKind::Config, "+zrevrange"),
            // The scripts are known by now, and INFO is only for opening.
            None => assert!(["+info", "+eval"].contains(right), "{right} is not needed"),
        }
        let mut change = redis_cmd("ACL");
        let _: () = ask(&server, change.arg("SETUSER").arg("app").arg(right)).await;
    }
    let mut change = redis_cmd("ACL");
    let _: () = ask(&server, change.arg("SETUSER").arg("app").arg("-info")).await;
    let store = RedisStore::connect(&url).await.unwrap();
    let warnings = store.warnings().join("\n");
    assert!(warnings.contains("the user lacks +info"), "{warnings}");

    let other = builder("other").connect(&url).await.unwrap();
    let error = other.claim(&claim(1)).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "~PREFIX:*");
}

#[tokio::test]
async fn a_full_memory_is_named_and_what_runs_can_still_be_settled() {
    let Some(server) = Redis::start(&[]) else {
        return;
    };
    let store = open(&server, "a").await;
    let (done, failed, extended) = (claim(1), claim(2), claim(3));
    for claim in [&done, &failed, &extended] {
        assert!(is_run(&store.claim(claim).await.unwrap()));
    }
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let check = ReplayCheck::new([1; 20], [1; 16], Duration::from_secs(60));
    let claimed = store.claim(&claim(4)).await.unwrap_err();
    let never_claimed = store.settle(&claim(5), Settlement::Done).await.unwrap_err();
    let bound = store.bind(&check).await.unwrap_err();
    for error in [claimed, never_claimed, bound] {
        assert_says(&error, StoreErrorKind::Unavailable, "has reached maxmemory");
    }
    for (claim, settlement) in [
        (&done, Settlement::Done),
        (&failed, Settlement::Failed),
        (&extended, Settlement::Extend),
    ] {
        let settled = store.settle(claim, settlement).await.unwrap();
        assert_eq!(settled, Settled::Applied, "{settlement:?}");
    }
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(store.claim(&claim(1)).await.unwrap(), ClaimOutcome::Done);
    assert!(is_run(&store.claim(&claim(2)).await.unwrap()));
    assert_eq!(store.claim(&claim(3)).await.unwrap(), ClaimOutcome::Busy);
}

#[tokio::test]
async fn a_client_or_a_connection_of_the_users_own_does_as_well() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let client = Client::open(server.url()).unwrap();
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let multiplexed = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .unwrap();
    let own = builder(&prefix).from_client(client).await.unwrap();
    let brought = builder(&prefix).from_connection(multiplexed).await.unwrap();
    assert!(is_run(&own.claim(&claim(1)).await.unwrap()));
    let rival = brought.claim(&claim(1)).await.unwrap();
    assert_eq!(rival, ClaimOutcome::Busy);
    assert!(is_run(&brought.claim(&claim(2)).await.unwrap()));
}
