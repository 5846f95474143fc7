//! The receiver purges store and guard by itself, page by page, for as long as it lives.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/keys.rs"]
mod keys;

use std::sync::Arc;
use std::time::Duration;

use common::{Runs, builder, receive_counted, request};
use zego_record_core::Verdict;
use zego_record_receiver::{DeliveryStore, MemoryGuard, MemoryStore, ReplayCheck, Settlement};

/// More than two pages.
const EXPIRED: usize = 2_500;
const KEPT: Duration = Duration::from_secs(700);

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_purged_without_further_requests() {
    let (store, guard) = (Arc::new(MemoryStore::new()), Arc::new(MemoryGuard::new()));
    let fill = || {
        for number in 0..EXPIRED {
            let claim = keys::claim(number, 1).with_retention(KEPT);
            keys::now(store.settle(&claim, Settlement::Done)).unwrap();
            let check = keys::check(number, 1);
            guard.bind_now(&ReplayCheck::new(check.signature, check.content, KEPT));
        }
    };
    fill();
    let receiver = builder()
        .store(Arc::clone(&store))
        .guard(Arc::clone(&guard))
        .build()
        .unwrap();
    let verdict = receive_counted(&receiver, &request("a"), &Runs::default()).await;
    assert_eq!(verdict, Verdict::Handled);
    assert!(store.len() > EXPIRED, "none has expired yet");

    // Past the purge that comes a minute after the last of them has expired.
    tokio::time::sleep(KEPT + Duration::from_secs(61)).await;
    assert_eq!((store.len(), guard.len()), (1, 0));
    // Those of the guard, with that of the request, and those of the store.
    assert_eq!(receiver.counters().purged, 2 * EXPIRED as u64 + 1);

    fill();
    tokio::time::sleep(KEPT + Duration::from_secs(61)).await;
    assert_eq!((store.len(), guard.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn purging_does_not_keep_a_receiver_alive() {
    let store = Arc::new(MemoryStore::new());
    let receiver = builder().store(Arc::clone(&store)).build().unwrap();
    receive_counted(&receiver, &request("a"), &Runs::default()).await;
    assert!(Arc::strong_count(&store) > 1);
    drop(receiver);
    // Long before the next purge.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(Arc::strong_count(&store), 1);
}
