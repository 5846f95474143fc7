//! Parts of the user's that panic: a store, guard or hook counts as unavailable, and no panic leaves a
//! lease behind.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use std::fmt;
use std::panic::panic_any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Runs, builder, receive, receive_counted, receiver, request, verify};
use faulty::{Faulty, Part};
use zego_record_core::Verdict;
use zego_record_receiver::{
    Binding, BoxFuture, HandlerError, ReplayCheck, ReplayGuard, StoreError, StoreErrorKind,
};

fn panics() -> StoreError {
    panic!("in a store")
}

/// An error that panics when it is displayed or dropped.
#[derive(Debug)]
struct Hostile {
    when_displayed: bool,
    when_dropped: bool,
}

const WHEN_DISPLAYED: Hostile = Hostile {
    when_displayed: true,
    when_dropped: false,
};
const WHEN_DROPPED: Hostile = Hostile {
    when_displayed: false,
    when_dropped: true,
};

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(!self.when_displayed, "in Display");
        f.write_str("hostile")
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        assert!(!self.when_dropped || std::thread::panicking(), "in Drop");
    }
}

impl std::error::Error for Hostile {}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_in_claim_is_unavailable_and_the_callback_is_reported_as_abandoned() {
    for within_future in [false, true] {
        let store = Faulty::new();
        let abandoned = Arc::new(Mutex::new(Vec::new()));
        let receiver = builder()
            .store(Arc::clone(&store))
            .on_abandoned({
                let abandoned = Arc::clone(&abandoned);
                move |it| abandoned.lock().unwrap().push(it.verdict())
            })
            .build()
            .unwrap();
        let runs = Runs::default();
        store.fail(Part::Claim, within_future, 3, panics);
        assert_eq!(
            receive_counted(&receiver, &request("a"), &runs).await,
            Verdict::StoreUnavailable
        );
        assert_eq!((store.calls(Part::Claim), runs.get()), (3, 0));
        assert_eq!(receiver.counters().store_failures, 1);
        tokio::time::sleep(Duration::from_secs(65)).await;
        assert_eq!(*abandoned.lock().unwrap(), [Verdict::StoreUnavailable]);
        assert_eq!(receiver.counters().in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_in_settle_after_success_is_answered_1_and_runs_nothing_again() {
    for within_future in [false, true] {
        let store = Faulty::new();
        let receiver = builder().store(Arc::clone(&store)).build().unwrap();
        let runs = Runs::default();
        store.fail(Part::Settle, within_future, 3, panics);
        for expected in [Verdict::Handled, Verdict::Duplicate] {
            let verdict = receive_counted(&receiver, &request("a"), &runs).await;
            assert_eq!(verdict, expected);
        }
        // It is recorded in the background, for other processes as well.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let other = builder().store(Arc::clone(&store)).build().unwrap();
        assert_eq!(
            receive_counted(&other, &request("a"), &runs).await,
            Verdict::Duplicate
        );
        assert_eq!((runs.get(), receiver.counters().in_flight), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_in_settle_after_a_failure_leaves_no_lease_behind() {
    let store = Faulty::new();
    let receiver = builder().store(Arc::clone(&store)).build().unwrap();
    store.fail(Part::Settle, true, 2, panics);
    let verdict = receive(&receiver, &request("a"), |_| async { Err("no".into()) }).await;
    assert_eq!(verdict, Verdict::HandlerFailed);
    assert_eq!(
        receive_counted(&receiver, &request("a"), &Runs::default()).await,
        Verdict::Handled
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_in_purge_is_purged_again_a_minute_later() {
    let store = Faulty::new();
    let receiver = builder().store(Arc::clone(&store)).build().unwrap();
    store.fail(Part::Purge, false, 2, panics);
    store.fail(Part::Evictions, false, 2, panics);
    assert_eq!(
        receive_counted(&receiver, &request("a"), &Runs::default()).await,
        Verdict::Handled
    );
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert_eq!(store.calls(Part::Purge), 3);
    assert_eq!(receiver.counters().store_evictions, 0);
}

/// In `bind`, before its future or in it, in `purge` and in `evictions`.
#[derive(Debug)]
struct PanickingGuard {
    within_future: bool,
}

impl ReplayGuard for PanickingGuard {
    fn bind<'a>(&'a self, _: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        assert!(self.within_future, "before the future");
        Box::pin(async { panic!("in the future") })
    }

    fn purge(&self, _: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        panic!("in purge")
    }

    fn evictions(&self) -> u64 {
        panic!("in evictions")
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_panics_is_replaced_by_memory() {
    for within_future in [false, true] {
        let guard = PanickingGuard { within_future };
        let receiver = builder().guard(guard).build().unwrap();
        let genuine = request("genuine");
        let forged = genuine.tampered(|builder| builder.field("stream_alias", "forged"));
        assert_eq!(
            receive_counted(&receiver, &genuine, &Runs::default()).await,
            Verdict::Handled
        );
        assert_eq!(
            verify(&receiver, forged.body()).await.err(),
            Some(Verdict::SignatureReused)
        );
        tokio::time::sleep(Duration::from_secs(61)).await;
        let counters = receiver.counters();
        assert_eq!((counters.guard_fallbacks, counters.guard_evictions), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_that_panic_change_no_verdict_and_are_called_again() {
    let calls = Runs::default();
    let hook = || {
        let calls = calls.clone();
        move || -> () {
            calls.count();
            panic!("in a hook")
        }
    };
    let (delivery, abandoned) = (hook(), hook());
    let receiver = builder()
        .on_delivery(move |_| delivery())
        .on_abandoned(move |_| abandoned())
        .rejection_body(|_| panic!("in a body"))
        .build()
        .unwrap();
    for (names, calls_after) in [(["a", "b"], 4), (["c", "d"], 8)] {
        for name in names {
            let verdict = receive(&receiver, &request(name), |_| async { Err("no".into()) }).await;
            assert_eq!(verdict, Verdict::HandlerFailed);
        }
        tokio::time::sleep(Duration::from_secs(65)).await;
        assert_eq!(calls.get(), calls_after);
    }
    assert_eq!(
        receive_counted(&receiver, &request("a"), &Runs::default()).await,
        Verdict::Handled
    );
    let reply = receiver.pipeline().reply(Verdict::HandlerFailed);
    assert_eq!(
        (reply.status(), &reply.body()[..]),
        (500, &b"handler_failed"[..])
    );
}

#[tokio::test]
async fn an_error_of_a_handler_that_panics_leaves_no_lease_behind() {
    for hostile in [|| WHEN_DISPLAYED, || WHEN_DROPPED] {
        let (receiver, callback) = (receiver(), request("a"));
        let verdict = receive(&receiver, &callback, move |_| async move {
            Err(HandlerError::retry(hostile()))
        });
        assert_eq!(verdict.await, Verdict::HandlerFailed);
        let verdict = receive(&receiver, &callback, move |delivery| async move {
            assert_eq!(delivery.attempt(), 2);
            Err(HandlerError::discard(hostile()))
        });
        assert_eq!(verdict.await, Verdict::Discarded);
        assert_eq!(
            receive_counted(&receiver, &callback, &Runs::default()).await,
            Verdict::Duplicate
        );
        assert_eq!(receiver.counters().in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_store_that_panics_leaves_no_lease_behind() {
    let displayed = || StoreError::new(StoreErrorKind::Unavailable, WHEN_DISPLAYED);
    let dropped = || StoreError::new(StoreErrorKind::Unavailable, WHEN_DROPPED);
    for fault in [displayed as faulty::Fault, dropped] {
        let store = Faulty::new();
        let receiver = builder().store(Arc::clone(&store)).build().unwrap();
        let runs = Runs::default();
        store.fail(Part::Claim, true, 3, fault);
        for expected in [Verdict::StoreUnavailable, Verdict::Handled] {
            let verdict = receive_counted(&receiver, &request("a"), &runs).await;
            assert_eq!(verdict, expected);
        }
        store.fail(Part::Settle, true, 3, fault);
        for expected in [Verdict::Handled, Verdict::Duplicate] {
            let verdict = receive_counted(&receiver, &request("b"), &runs).await;
            assert_eq!(verdict, expected);
        }
        assert_eq!(runs.get(), 2);
    }
}

#[tokio::test]
async fn a_panic_whose_payload_panics_leaves_no_lease_behind() {
    let (receiver, callback) = (receiver(), request("a"));
    let verdict = receive(&receiver, &callback, |_| async { panic_any(WHEN_DROPPED) }).await;
    assert_eq!(verdict, Verdict::HandlerFailed);
    assert_eq!(
        receive_counted(&receiver, &callback, &Runs::default()).await,
        Verdict::Handled
    );
}
