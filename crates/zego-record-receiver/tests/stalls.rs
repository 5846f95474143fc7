//! Handlers that never wait, and threads that are stalled: nothing runs on after its time.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::{Runs, builder, receive, receive_counted, request};
use faulty::{Faulty, Part};
use zego_record_core::{UnixSeconds, Verdict};
use zego_record_receiver::{Clock, HandlerError, MemoryStore};
use zego_record_testkit::ManualClock;

/// Long enough to be found out, and bounded if nothing stops it.
const TOO_LONG: Duration = Duration::from_secs(4);

/// Uses up the budget of its task in each poll, so that every timer of the task stays pending.
async fn hot_loop() {
    let began = Instant::now();
    while began.elapsed() < TOO_LONG {
        tokio::task::consume_budget().await;
    }
}

#[tokio::test]
async fn a_handler_that_consumes_its_budget_in_each_poll_is_stopped_at_its_timeout() {
    struct Running(Arc<AtomicUsize>);
    impl Drop for Running {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let receiver = builder()
        .handler_timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let running = Arc::new(AtomicUsize::new(0));
    let finished = Runs::default();
    let verdict = receive(&receiver, &request("a"), {
        let (running, finished) = (Arc::clone(&running), finished.clone());
        move |_| async move {
            running.fetch_add(1, Ordering::SeqCst);
            let _running = Running(running);
            hot_loop().await;
            finished.count();
            Ok(())
        }
    })
    .await;
    assert_eq!((verdict, finished.get()), (Verdict::HandlerTimeout, 0));

    // A retry never runs beside it.
    let verdict = receive(&receiver, &request("a"), move |delivery| async move {
        assert_eq!(running.load(Ordering::SeqCst), 0);
        assert_eq!(delivery.attempt(), 2);
        Ok(())
    })
    .await;
    assert_eq!(verdict, Verdict::Handled);
}

#[tokio::test]
async fn a_handler_that_consumes_its_budget_in_each_poll_does_not_outlive_a_shutdown() {
    let receiver = builder()
        .handler_timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let (began, finished) = (Runs::default(), Runs::default());
    let running = tokio::spawn({
        let (receiver, began, finished) = (receiver.clone(), began.clone(), finished.clone());
        async move {
            receive(&receiver, &request("a"), move |_| async move {
                began.count();
                hot_loop().await;
                finished.count();
                Ok(())
            })
            .await
        }
    });
    while began.get() == 0 {
        tokio::task::yield_now().await;
    }
    receiver.shutdown().await;
    assert_eq!(receiver.counters().in_flight, 0);
    assert_eq!(running.await.unwrap(), Verdict::HandlerTimeout);
    assert_eq!(finished.get(), 0);
}

/// Its own deadline would come later than the end of the shutdown.
#[tokio::test(start_paused = true)]
async fn a_handler_whose_claim_takes_longer_than_the_shutdown_never_starts() {
    let store = Faulty::new();
    store.delay(Part::Claim, Duration::from_millis(900));
    let receiver = builder()
        .store(Arc::clone(&store))
        .store_timeout(Duration::from_secs(1))
        .handler_timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let runs = Runs::default();
    let running = tokio::spawn({
        let (receiver, runs) = (receiver.clone(), runs.clone());
        async move { receive_counted(&receiver, &request("a"), &runs).await }
    });
    while receiver.counters().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    receiver.shutdown().await;
    assert_eq!(running.await.unwrap(), Verdict::HandlerTimeout);
    assert_eq!(runs.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_is_stopped_by_the_shutdown_before_its_own_deadline() {
    let store = Faulty::new();
    store.delay(Part::Claim, Duration::from_millis(900));
    let receiver = builder()
        .store(Arc::clone(&store))
        .store_timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let running = tokio::spawn({
        let receiver = receiver.clone();
        async move { receive(&receiver, &request("a"), |_| std::future::pending()).await }
    });
    while receiver.counters().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    let began = tokio::time::Instant::now();
    receiver.shutdown().await;
    assert_eq!(began.elapsed(), Duration::from_secs(8));
    assert_eq!(running.await.unwrap(), Verdict::HandlerTimeout);
}

/// Two receivers as in two processes. The thread of the first is stalled past timeout and lease; when
/// it wakes, the second has handled the delivery.
#[test]
fn a_thread_that_was_stalled_past_its_lease_does_not_go_on_with_the_handler() {
    let clock = ManualClock::new(UnixSeconds::new(0));
    let store = Arc::new(MemoryStore::new().with_clock(clock.clone()));
    let build = || {
        let timeout = Duration::from_millis(50);
        let builder = builder().store(Arc::clone(&store));
        builder.handler_timeout(timeout).build().unwrap()
    };
    let (first, second, effects, callback) = (build(), build(), Runs::default(), request("a"));
    let (stalled, is_stalled) = mpsc::channel();
    let (wake, woken) = mpsc::channel::<()>();

    let stalling = thread::spawn({
        let (effects, callback) = (effects.clone(), callback.clone());
        move || {
            runtime().block_on(receive(&first, &callback, move |_| async move {
                stalled.send(())?;
                // The thread, not the task.
                woken.recv()?;
                tokio::task::yield_now().await;
                effects.count();
                Ok::<_, HandlerError>(())
            }))
        }
    });
    is_stalled.recv().unwrap();
    thread::sleep(Duration::from_millis(60));
    clock.advance(Duration::from_secs(3));
    let retry = runtime().block_on(receive_counted(&second, &callback, &effects));
    assert_eq!((retry, effects.get()), (Verdict::Handled, 1));

    wake.send(()).unwrap();
    assert_eq!(stalling.join().unwrap(), Verdict::HandlerTimeout);
    assert_eq!(effects.get(), 1, "one delivery, two effects");
}

/// A clock that stands still makes a claim that took longer than its lease look quick.
#[tokio::test(start_paused = true)]
async fn a_lease_that_has_ended_before_the_handler_begins_runs_nothing() {
    #[derive(Debug)]
    struct Still;
    impl Clock for Still {
        fn now(&self) -> UnixSeconds {
            common::now()
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }
    let store = Faulty::new();
    store.delay(Part::Claim, Duration::from_secs(11));
    let receiver = builder()
        .clock(Still)
        .store(Arc::clone(&store))
        .store_timeout(Duration::from_secs(20))
        .build()
        .unwrap();
    let runs = Runs::default();
    let verdict = receive_counted(&receiver, &request("a"), &runs).await;
    assert_eq!((verdict, runs.get()), (Verdict::HandlerTimeout, 0));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}
