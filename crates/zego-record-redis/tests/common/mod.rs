//! A store with a prefix of its own, on the server that the tests of a binary share.

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "each test binary uses its own part"
)]

pub(crate) mod proxy;

use std::error::Error as _;
use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_receiver::{Claim, ClaimOutcome, Owner, StoreError, StoreErrorKind};
use zego_record_redis::redis::{Client, Cmd, FromRedisValue};
use zego_record_redis::{RedisStore, RedisStoreBuilder};
use zego_record_test_servers::Redis;

/// Patient: a machine under load may be slow, and most tests are not about that.
pub(crate) fn builder(prefix: &str) -> RedisStoreBuilder {
    RedisStore::builder()
        .prefix(prefix)
        .timeout(Duration::from_secs(30))
}

pub(crate) async fn open(server: &Redis, prefix: &str) -> RedisStore {
    builder(prefix).connect(&server.url()).await.unwrap()
}

/// Several handles to one store, each with a connection of its own.
pub(crate) async fn handles<const N: usize>(server: &Redis) -> [RedisStore; N] {
    let prefix = server.new_prefix();
    let mut handles = Vec::new();
    for _ in 0..N {
        handles.push(open(server, &prefix).await);
    }
    handles.try_into().unwrap()
}

/// Runs a command of the user's.
pub(crate) async fn ask<T: FromRedisValue>(server: &Redis, command: &Cmd) -> T {
    let client = Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    command.query_async(&mut connection).await.unwrap()
}

pub(crate) async fn keys(server: &Redis, pattern: &str) -> Vec<String> {
    let mut keys: Vec<String> = ask(server, redis_cmd("KEYS").arg(pattern)).await;
    keys.sort();
    keys
}

pub(crate) fn redis_cmd(name: &str) -> Cmd {
    zego_record_redis::redis::cmd(name)
}

pub(crate) fn key(number: u64) -> DeliveryKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    DeliveryKey::from_bytes(bytes)
}

pub(crate) fn owner() -> Owner {
    Owner::new(fastrand::u128(..))
}

pub(crate) fn claim(number: u64) -> Claim {
    // Longer than any test, on a machine under any load.
    Claim::new(key(number), format!("file {number}"), owner())
        .with_lease(Duration::from_secs(3_600))
}

pub(crate) fn is_run(outcome: &ClaimOutcome) -> bool {
    matches!(outcome, ClaimOutcome::Run(_))
}

/// The kind, what to do, and that no cause is printed twice and no password at all.
pub(crate) fn assert_says(error: &StoreError, kind: StoreErrorKind, advice: &str) {
    let mut chain = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push(cause.to_string());
        source = cause.source();
    }
    assert_eq!(error.kind(), kind, "{chain:?}");
    assert!(
        chain.iter().any(|text| text.contains(advice)),
        "{advice:?} is not in {chain:?}"
    );
    for (number, text) in chain.iter().enumerate() {
        let repeats = chain[number + 1..].iter().any(|other| text.contains(other));
        assert!(!repeats, "a cause is printed twice: {chain:?}");
    }
    assert!(!format!("{error:?} {chain:?}").contains("hunter2"));
}
