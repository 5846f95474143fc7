//! What stands in Redis: that it expires, where it stands, and what is not ours there.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "everything here is a test"
)]

mod common;

use std::time::Duration;

use common::{ask, assert_says, claim, is_run, key, keys, open, owner, redis_cmd};
use zego_record_core::DeliveryKey;
use zego_record_receiver::{
    Binding, Claim, ClaimOutcome, DeliveryStore, Lease, ReplayCheck, ReplayGuard, Settlement,
    StoreErrorKind,
};
use zego_record_redis::RedisStore;
use zego_record_test_servers::Redis;

const LEASE: Duration = Duration::from_secs(100);
const RETENTION: Duration = Duration::from_secs(1_000);
const KEPT: Duration = Duration::from_secs(500);

#[tokio::test]
async fn every_key_expires_when_it_is_no_longer_needed() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    for (number, settlement) in [
        (1, None),
        (2, Some(Settlement::Done)),
        (3, Some(Settlement::Failed)),
        (4, Some(Settlement::Extend)),
    ] {
        let claim = claim(number).with_lease(LEASE).with_retention(RETENTION);
        assert!(is_run(&store.claim(&claim).await.unwrap()));
        if let Some(settlement) = settlement {
            store.settle(&claim, settlement).await.unwrap();
        }
    }
    let check = ReplayCheck::new([1; 20], [2; 16], KEPT);
    assert_eq!(store.bind(&check).await.unwrap(), Binding::First);

    let mut kinds = [0; 3];
    for key in keys(server, &format!("{prefix}:*")).await {
        let left: i64 = ask(server, redis_cmd("PTTL").arg(&key)).await;
        let text: Option<String> = if key.ends_with(":event") {
            None
        } else {
            Some(ask(server, redis_cmd("GET").arg(&key)).await)
        };
        let (kind, expected) = match &text {
            None => (0, RETENTION..=LEASE + RETENTION),
            Some(text) if text.starts_with("1 running ") => {
                (1, LEASE + RETENTION..=LEASE + RETENTION)
            }
            Some(text) if text.starts_with("1 ") => (1, RETENTION..=RETENTION),
            Some(_) => (2, KEPT..=KEPT),
        };
        kinds[kind] += 1;
        // A generous minute for a slow machine.
        let left = Duration::from_millis(left.try_into().unwrap());
        assert!(left <= *expected.end(), "{key}: {left:?}");
        assert!(
            left + Duration::from_secs(60) > *expected.start(),
            "{key}: {left:?}"
        );
    }
    assert_eq!(kinds, [4, 4, 1], "events, deliveries, signatures");
}

#[tokio::test]
async fn what_needs_not_be_kept_leaves_no_key() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    let done = claim(1).with_retention(Duration::ZERO);
    assert!(is_run(&store.claim(&done).await.unwrap()));
    assert!(!keys(server, &format!("{prefix}:*")).await.is_empty());
    store.settle(&done, Settlement::Done).await.unwrap();
    let check = ReplayCheck::new([1; 20], [2; 16], Duration::ZERO);
    store.bind(&check).await.unwrap();
    assert_eq!(
        keys(server, &format!("{prefix}:*")).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn an_event_lists_what_is_kept_and_lasts_as_long_as_that() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    for (number, retention) in [(0, 1_000), (1, 0), (2, 2_000), (3, 0), (4, 500), (5, 0)] {
        let retention = Duration::from_secs(retention);
        let claim = Claim::new(key(number), "one file", owner()).with_retention(retention);
        let run = ClaimOutcome::Run(Lease::new(1, number > 0));
        assert_eq!(store.claim(&claim).await.unwrap(), run);
        store.settle(&claim, Settlement::Done).await.unwrap();
    }
    let event = only_key(server, &format!("{prefix}:*:event")).await;
    assert_eq!(listed(server, &event).await, [key(2), key(0), key(4)]);
    let left: i64 = ask(server, redis_cmd("PTTL").arg(&event)).await;
    assert!(left > 1_500_000, "{left}");
}

#[tokio::test]
async fn an_event_drops_what_has_expired_by_itself() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    let kept = Claim::new(key(1), "one file", owner());
    assert!(is_run(&store.claim(&kept).await.unwrap()));
    let crashed = Claim::new(key(2), "one file", owner())
        .with_lease(Duration::from_millis(20))
        .with_retention(Duration::ZERO);
    assert!(is_run(&store.claim(&crashed).await.unwrap()));
    let records = format!("{prefix}:*:delivery:*");
    while keys(server, &records).await.len() > 1 {}
    store.settle(&kept, Settlement::Extend).await.unwrap();
    let event = only_key(server, &format!("{prefix}:*:event")).await;
    assert_eq!(listed(server, &event).await, [key(1)]);
}

/// As an eviction or somebody's `DEL` leaves it.
#[tokio::test]
async fn a_delivery_whose_record_has_gone_does_not_change_its_own_file() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    let records = format!("{prefix}:*:delivery:*");
    for (number, changed) in [(1, false), (1, false), (2, true), (1, true)] {
        let claim = Claim::new(key(number), "one file", owner());
        let run = ClaimOutcome::Run(Lease::new(1, changed));
        assert_eq!(store.claim(&claim).await.unwrap(), run);
        let record = only_key(server, &records).await;
        let _: () = ask(server, redis_cmd("DEL").arg(record)).await;
    }
}

#[tokio::test]
async fn an_event_id_may_hold_anything() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let store = open(server, &server.new_prefix()).await;
    let hostile = [
        "a\0b".to_owned(),
        "x".repeat(60 * 1024),
        String::new(),
        "{}:event\r\n*1\r\n".to_owned(),
    ];
    for (number, event) in hostile.into_iter().enumerate() {
        let numbers = [2 * number as u64, 2 * number as u64 + 1];
        for (number, changed) in numbers.into_iter().zip([false, true]) {
            let claim = Claim::new(key(number), event.clone(), owner());
            let run = ClaimOutcome::Run(Lease::new(1, changed));
            assert_eq!(store.claim(&claim).await.unwrap(), run);
        }
    }
}

#[tokio::test]
async fn the_last_epoch_does_not_wrap() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    let record = record_of(server, &store, &prefix).await;
    set(
        server,
        &record,
        "1 failed - 4294967295 1 0 9007199254740991",
    )
    .await;
    let run = ClaimOutcome::Run(Lease::new(u32::MAX, true));
    assert_eq!(store.claim(&claim(1)).await.unwrap(), run);
    assert_eq!(store.claim(&claim(1)).await.unwrap(), ClaimOutcome::Busy);
}

#[tokio::test]
async fn what_is_not_ours_is_corrupt_and_stops_nothing_else() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    let record = record_of(server, &store, &prefix).await;
    let holder = "0123456789abcdef0123456789abcdef";
    let long = "9".repeat(1 << 20);
    for text in [
        String::new(),
        "0".into(),
        "\0".into(),
        "2 done - 1 0 0 9000000000000".into(),
        "1 done - 1 0 0".into(),
        format!("1 done {holder} 1 0 0 9000000000000"),
        "1 running - 1 0 0 9000000000000".into(),
        format!("1 running {holder}0 1 0 0 9000000000000"),
        format!(
            "1 running {} 1 0 0 9000000000000",
            &holder.replace('0', "-")
        ),
        format!("1 lost {holder} 1 0 0 9000000000000"),
        "1 done - 0 0 0 9000000000000".into(),
        "1 done - 4294967296 0 0 9000000000000".into(),
        "1 done - 1 2 0 9000000000000".into(),
        "1 done - 1 0 0 90000000000000000".into(),
        format!("1 done - {long} 0 {long} {long}"),
        format!("1 done - 1 0 0 9000000000000\n{long}"),
        long,
    ] {
        set(server, &record, &text).await;
        let shown: String = text.chars().take(70).collect();
        for claimed in [store.claim(&claim(1)).await, store.claim(&claim(1)).await] {
            let error = claimed.expect_err(&shown);
            assert_says(&error, StoreErrorKind::Corrupt, &record);
        }
        for settlement in [Settlement::Done, Settlement::Failed, Settlement::Extend] {
            let error = store.settle(&claim(1), settlement).await.expect_err(&shown);
            assert_says(&error, StoreErrorKind::Corrupt, "has not written");
        }
        let kept: Vec<u8> = ask(server, redis_cmd("GET").arg(&record)).await;
        assert!(kept == text.as_bytes(), "it was overwritten: {shown}");
    }
    assert!(is_run(&store.claim(&claim(2)).await.unwrap()));
    let _: () = ask(server, redis_cmd("DEL").arg(&record)).await;
    assert!(is_run(&store.claim(&claim(1)).await.unwrap()));
}

#[tokio::test]
async fn a_key_of_another_type_is_corrupt_and_nothing_is_half_written() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    let record = record_of(server, &store, &prefix).await;
    let event = record.split(":delivery:").next().unwrap().to_owned() + ":event";
    for key in [&event, &record] {
        let _: () = ask(server, redis_cmd("DEL").arg(&[&record, &event])).await;
        let _: () = ask(server, redis_cmd("RPUSH").arg(key).arg("not ours")).await;
        let error = store.claim(&claim(1)).await.unwrap_err();
        assert_says(&error, StoreErrorKind::Corrupt, "a value of another type");
        let error = store.settle(&claim(1), Settlement::Done).await.unwrap_err();
        assert_says(&error, StoreErrorKind::Corrupt, "a value of another type");
        assert_eq!(keys(server, &format!("{prefix}:*")).await, [key.as_str()]);
    }
    assert!(is_run(&store.claim(&claim(2)).await.unwrap()));

    let check = ReplayCheck::new([7; 20], [1; 16], KEPT);
    let signature = format!("{prefix}:signature:{}", "07".repeat(20));
    for text in ["", "01", &"0g".repeat(16), &"01".repeat(17)] {
        set(server, &signature, text).await;
        let error = store.bind(&check).await.unwrap_err();
        assert_says(&error, StoreErrorKind::Corrupt, "has not written");
        assert!(!format!("{error:?}").contains("0707"), "{error:?}");
    }
    let other = ReplayCheck::new([8; 20], [1; 16], KEPT);
    assert_eq!(store.bind(&other).await.unwrap(), Binding::First);
}

/// A set that somebody else has filled with times that no clock has.
#[tokio::test]
async fn strange_times_in_an_event_are_harmless() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let store = open(server, &prefix).await;
    let record = record_of(server, &store, &prefix).await;
    let event = record.split(":delivery:").next().unwrap().to_owned() + ":event";
    for score in ["inf", "-inf", "1e300", "0.5", "9007199254740993", "8e12"] {
        let _: () = ask(server, redis_cmd("DEL").arg(&record)).await;
        let mut add = redis_cmd("ZADD");
        let _: () = ask(server, add.arg(&event).arg(score).arg("not ours")).await;
        let claim = claim(1);
        assert!(is_run(&store.claim(&claim).await.unwrap()), "{score}");
        store.settle(&claim, Settlement::Done).await.unwrap();
        let left: i64 = ask(server, redis_cmd("PTTL").arg(&event)).await;
        assert!(left > 0, "{score}: {left}");
    }
}

/// The key of the record of delivery 1, which is gone afterwards.
async fn record_of(server: &Redis, store: &RedisStore, prefix: &str) -> String {
    assert!(is_run(&store.claim(&claim(1)).await.unwrap()));
    let record = only_key(server, &format!("{prefix}:*:delivery:*")).await;
    for key in keys(server, &format!("{prefix}:*")).await {
        let _: () = ask(server, redis_cmd("DEL").arg(key)).await;
    }
    record
}

async fn set(server: &Redis, key: &str, text: &str) {
    let _: () = ask(server, redis_cmd("SET").arg(key).arg(text)).await;
}

async fn only_key(server: &Redis, pattern: &str) -> String {
    let mut keys = keys(server, pattern).await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.remove(0)
}

/// What an event lists, with the one that expires last first.
async fn listed(server: &Redis, event: &str) -> Vec<DeliveryKey> {
    let mut range = redis_cmd("ZREVRANGE");
    let members: Vec<Vec<u8>> = ask(server, range.arg(event).arg(0).arg(-1)).await;
    let key = |member: &Vec<u8>| DeliveryKey::from_bytes(member.as_slice().try_into().unwrap());
    members.iter().map(key).collect()
}
