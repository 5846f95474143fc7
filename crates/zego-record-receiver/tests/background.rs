//! What runs beside the requests: it starts with the first request of any kind, and does not keep a
//! receiver alive that nobody else holds.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{builder, receive, request, until, verify};
use zego_record_core::Verdict;
use zego_record_receiver::{
    Binding, BoxFuture, MemoryGuard, MemoryStore, ReplayCheck, ReplayGuard, StoreError,
};

#[tokio::test(start_paused = true)]
async fn an_extractor_alone_purges_as_well() {
    let guard = Arc::new(MemoryGuard::new());
    let receiver = builder().guard(Arc::clone(&guard)).build().unwrap();
    for number in 0..20 {
        let callback = request(&format!("lesson-{number}"));
        assert!(verify(&receiver, callback.body()).await.is_ok());
    }
    assert_eq!(guard.len(), 20);
    // Both tolerances and a minute, and a minute until the next purge.
    tokio::time::sleep(Duration::from_secs(660 + 61)).await;
    assert_eq!(guard.len(), 0);
    assert_eq!(receiver.counters().purged, 20);
}

#[tokio::test(start_paused = true)]
async fn a_watch_for_missing_retries_does_not_keep_a_receiver_alive() {
    let store = Arc::new(MemoryStore::new());
    let receiver = builder().store(Arc::clone(&store)).build().unwrap();
    let verdict = receive(&receiver, &request("a"), |_| async { Err("no".into()) }).await;
    assert_eq!(verdict, Verdict::HandlerFailed);
    drop(receiver);
    // Long before the retry would be missing.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(Arc::strong_count(&store), 1);
}

/// A guard with a backlog that has no end.
#[derive(Debug, Default)]
struct Backlog(AtomicU64);

impl ReplayGuard for Backlog {
    fn bind<'a>(&'a self, _: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        Box::pin(async { Ok(Binding::First) })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(limit.into())
        })
    }

    fn evictions(&self) -> u64 {
        0
    }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_that_has_no_end_is_left_for_the_next_minute_after_a_thousand_pages() {
    let guard = Arc::new(Backlog::default());
    let receiver = builder().guard(Arc::clone(&guard)).build().unwrap();
    assert!(verify(&receiver, request("a").body()).await.is_ok());
    for minutes in [1, 2] {
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(guard.0.load(Ordering::SeqCst), minutes * 1_000);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_dropped_within_a_backlog_is_gone_after_one_page() {
    let guard = Arc::new(Backlog::default());
    let receiver = builder().guard(Arc::clone(&guard)).build().unwrap();
    assert!(verify(&receiver, request("a").body()).await.is_ok());
    until(|| guard.0.load(Ordering::SeqCst) >= 3).await;
    drop(receiver);
    let pages = guard.0.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(guard.0.load(Ordering::SeqCst) <= pages + 1);
    assert_eq!(Arc::strong_count(&guard), 1);
}
