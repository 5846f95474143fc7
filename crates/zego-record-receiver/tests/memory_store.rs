//! The memory store's bounds.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Held, Runs, builder, receive, receive_counted, request};
use zego_record_core::{DeliveryKey, UnixSeconds, Verdict};
use zego_record_receiver::{Claim, ClaimOutcome, DeliveryStore, MemoryStore, Owner, Settlement};
use zego_record_testkit::ManualClock;

#[tokio::test]
async fn a_full_store_evicts_the_oldest_finished_delivery() {
    let store = Arc::new(MemoryStore::with_capacity(2));
    let (receiver, runs) = (
        builder().store(Arc::clone(&store)).build().unwrap(),
        Runs::default(),
    );
    let requests = ["a", "b", "c"].map(request);
    for request in &requests {
        assert_eq!(
            receive_counted(&receiver, request, &runs).await,
            Verdict::Handled
        );
    }
    assert_eq!((store.len(), receiver.counters().store_evictions), (2, 1));
    assert_eq!(
        receive_counted(&receiver, &requests[2], &runs).await,
        Verdict::Duplicate
    );
    assert_eq!(
        receive_counted(&receiver, &requests[1], &runs).await,
        Verdict::Duplicate
    );
    assert_eq!(
        receive_counted(&receiver, &requests[0], &runs).await,
        Verdict::Handled,
        "it was forgotten"
    );
}

#[tokio::test]
async fn a_running_delivery_is_never_evicted() {
    let receiver = builder()
        .store(MemoryStore::with_capacity(1))
        .build()
        .unwrap();
    let (held, runs) = (Held::new(), Runs::default());
    let running = held.begin(&receiver, request("a")).await;
    assert_eq!(
        receive_counted(&receiver, &request("b"), &runs).await,
        Verdict::Busy
    );
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::InProgress
    );
    held.go_on();
    assert_eq!(running.await.unwrap(), Verdict::Handled);
    assert_eq!(
        receive_counted(&receiver, &request("b"), &runs).await,
        Verdict::Handled
    );
}

#[tokio::test(start_paused = true)]
async fn a_finished_delivery_is_forgotten_when_its_retention_is_over() {
    let store = Arc::new(MemoryStore::new());
    let receiver = builder()
        .store(Arc::clone(&store))
        .retention(Duration::from_secs(661))
        .build()
        .unwrap();
    let runs = Runs::default();
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::Handled
    );
    tokio::time::advance(Duration::from_secs(660)).await;
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::Duplicate
    );
    assert_eq!(store.purge(1_000).await.unwrap(), 0);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(store.purge(1_000).await.unwrap(), 1);
    assert!(store.is_empty());
    assert_eq!(
        receive_counted(&receiver, &request("a"), &runs).await,
        Verdict::Handled
    );
}

#[tokio::test(start_paused = true)]
async fn expired_deliveries_make_room_without_being_purged() {
    let store = Arc::new(MemoryStore::new());
    let receiver = builder().store(Arc::clone(&store)).build().unwrap();
    for number in 0..100 {
        receive_counted(
            &receiver,
            &request(&format!("old-{number}")),
            &Runs::default(),
        )
        .await;
    }
    tokio::time::advance(Duration::from_secs(24 * 60 * 60)).await;
    for number in 0..100 {
        receive_counted(
            &receiver,
            &request(&format!("new-{number}")),
            &Runs::default(),
        )
        .await;
    }
    assert_eq!((store.len(), store.evictions()), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_fails_again_and_again_takes_one_place() {
    let store = Arc::new(MemoryStore::with_capacity(2));
    let receiver = builder().store(Arc::clone(&store)).build().unwrap();
    for _ in 0..1_000 {
        receive(&receiver, &request("a"), |_| async { Err("no".into()) }).await;
    }
    assert_eq!((store.len(), store.evictions()), (1, 0));
}

/// A delivery that is done, and remembered for as long.
async fn done(store: &MemoryStore, number: u8, retention: u64) -> Claim {
    let key = DeliveryKey::from_bytes([number; 32]);
    let claim = Claim::new(key, format!("1:file:{number}"), Owner::new(number.into()))
        .with_retention(Duration::from_secs(retention));
    let claimed = store.claim(&claim).await.unwrap();
    assert!(matches!(claimed, ClaimOutcome::Run(_)), "{claimed:?}");
    store.settle(&claim, Settlement::Done).await.unwrap();
    claim
}

/// Receivers with different retention share a store.
#[tokio::test]
async fn a_full_store_removes_what_has_expired_before_what_is_live() {
    let clock = ManualClock::new(UnixSeconds::new(0));
    let store = MemoryStore::with_capacity(2).with_clock(clock.clone());
    let live = done(&store, 1, 5_000).await;
    done(&store, 2, 700).await;
    clock.advance(Duration::from_secs(1_000));
    done(&store, 3, 5_000).await;
    assert_eq!(store.claim(&live).await.unwrap(), ClaimOutcome::Done);
    assert_eq!((store.len(), store.evictions()), (2, 0));
}

#[tokio::test]
async fn a_purge_finds_what_has_expired_behind_what_is_live() {
    let clock = ManualClock::new(UnixSeconds::new(0));
    let store = MemoryStore::new().with_clock(clock.clone());
    for number in 0..100 {
        let retention = if number % 2 == 0 { 5_000 } else { 700 };
        done(&store, number, retention).await;
    }
    clock.advance(Duration::from_secs(1_000));
    assert_eq!(store.purge(1_000).await.unwrap(), 50);
    assert_eq!(store.len(), 50);
}
