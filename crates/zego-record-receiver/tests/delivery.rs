//! What becomes of a delivery: every end that a handler can take, and who may run it when.

#![allow(clippy::unwrap_used)]

mod common;

use std::panic::panic_any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{
    Held, Runs, SECRET, builder, now, receive, receive_counted, receiver, request, verify,
};
use tokio::sync::oneshot;
use zego_record_core::{Vendor, Verdict, WireForm};
use zego_record_receiver::{HandlerError, MemoryStore, Receiver};
use zego_record_testkit::{RequestBuilder, SignedRequest};

#[tokio::test]
async fn success_is_answered_1_and_a_duplicate_does_not_run_the_handler() {
    let (receiver, runs, request) = (receiver(), Runs::default(), request("a"));
    assert_eq!(
        receive_counted(&receiver, &request, &runs).await,
        Verdict::Handled
    );
    assert_eq!(
        receive_counted(&receiver, &request, &runs).await,
        Verdict::Duplicate
    );
    // A retry that was signed anew is the same delivery.
    let resigned = request.resigned(now());
    assert_ne!(resigned.nonce(), request.nonce());
    assert_eq!(
        receive_counted(&receiver, &resigned, &runs).await,
        Verdict::Duplicate
    );
    assert_eq!(runs.get(), 1);
}

#[tokio::test]
async fn one_content_in_all_wire_forms_is_one_delivery() {
    let (receiver, runs) = (receiver(), Runs::default());
    let base = RequestBuilder::new(SECRET, now())
        .vendor(Vendor::Tencent)
        .field("stream_alias", "a");
    let requests = [
        base.clone(),
        base.clone().numbers(),
        base.clone().extra_params_as_object(),
        base.clone().wire_form(WireForm::Form),
        base.clone().wire_form(WireForm::EncodedJson),
    ];
    let mut verdicts = Vec::new();
    for request in requests {
        verdicts.push(receive_counted(&receiver, &request.build(), &runs).await);
    }
    assert_eq!(verdicts[0], Verdict::Handled);
    assert_eq!(verdicts[1..], [Verdict::Duplicate; 4]);
    assert_eq!(runs.get(), 1);
}

#[tokio::test]
async fn two_formats_of_one_recording_are_two_deliveries() {
    let (receiver, runs) = (receiver(), Runs::default());
    for (url, file) in [
        ("https://h/a.mp4", "5285890813218549789"),
        ("https://h/a.m3u8", "5285890813218549790"),
    ] {
        let request = RequestBuilder::new(SECRET, now())
            .field("replay_url", url)
            .field(
                "extra_params",
                format!(r#"{{"TaskId":"t","FileID":"{file}"}}"#),
            )
            .build();
        assert_eq!(
            receive_counted(&receiver, &request, &runs).await,
            Verdict::Handled
        );
    }
    assert_eq!(runs.get(), 2);
}

#[tokio::test]
async fn other_content_about_the_same_file_is_handled_and_marked_as_changed() {
    let receiver = receiver();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for end_time in ["1760001800", "1760001801", "1760001800"] {
        let request = RequestBuilder::new(SECRET, now())
            .vendor(Vendor::Tencent)
            .field("end_time", end_time)
            .build();
        let seen = Arc::clone(&seen);
        receive(&receiver, &request, move |delivery| async move {
            seen.lock()
                .unwrap()
                .push((delivery.callback().end_time().get(), delivery.is_changed()));
            Ok(())
        })
        .await;
    }
    assert_eq!(
        *seen.lock().unwrap(),
        [(1_760_001_800, false), (1_760_001_801, true)]
    );
}

#[tokio::test]
async fn a_failure_is_tried_again_and_the_attempt_is_counted() {
    let (receiver, request) = (receiver(), request("a"));
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let mut verdicts = Vec::new();
    for _ in 0..4 {
        let attempts = Arc::clone(&attempts);
        let verdict = receive(&receiver, &request, move |delivery| async move {
            attempts.lock().unwrap().push(delivery.attempt());
            if delivery.attempt() < 3 {
                Err(HandlerError::retry("not yet"))
            } else {
                Ok(())
            }
        });
        verdicts.push(verdict.await);
    }
    assert_eq!(
        verdicts,
        [
            Verdict::HandlerFailed,
            Verdict::HandlerFailed,
            Verdict::Handled,
            Verdict::Duplicate
        ]
    );
    assert_eq!(*attempts.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn a_discarded_delivery_does_not_come_again() {
    let (receiver, request, runs) = (receiver(), request("a"), Runs::default());
    let verdict = receive(&receiver, &request, |_| async {
        Err(HandlerError::discard("not ours"))
    })
    .await;
    assert_eq!(verdict, Verdict::Discarded);
    assert_eq!(
        receive_counted(&receiver, &request, &runs).await,
        Verdict::Duplicate
    );
    assert_eq!(runs.get(), 0);
}

#[tokio::test]
async fn a_panic_counts_as_a_failure_wherever_it_happens() {
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic_any("in a destructor");
            }
        }
    }
    let receiver = builder()
        .handler_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    let request = request("a");
    let before = receive(&receiver, &request, |_| -> std::future::Ready<_> {
        panic!("before the future")
    })
    .await;
    let within = receive(&receiver, &request, |_| async {
        tokio::task::yield_now().await;
        panic!("within the future")
    })
    .await;
    let after = receive(&receiver, &request, |_| async {
        let _held = PanicsWhenDropped;
        std::future::pending().await
    })
    .await;
    assert_eq!([before, within, after], [Verdict::HandlerFailed; 3]);
    assert_eq!(
        receive_counted(&receiver, &request, &Runs::default()).await,
        Verdict::Handled
    );
    assert_eq!(receiver.counters().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_handler_out_of_time_is_stopped_before_the_next_may_run() {
    let (receiver, request) = (receiver(), request("a"));
    let begin = tokio::time::Instant::now();
    let (held, mut released) = oneshot::channel::<()>();
    let verdict = receive(&receiver, &request, |_| async move {
        let _held = held;
        std::future::pending().await
    })
    .await;
    assert_eq!(
        (verdict, begin.elapsed().as_secs()),
        (Verdict::HandlerTimeout, 8)
    );
    assert!(
        released
            .try_recv()
            .is_err_and(|error| error == oneshot::error::TryRecvError::Closed)
    );
    assert_eq!(
        receive_counted(&receiver, &request, &Runs::default()).await,
        Verdict::Handled
    );
}

#[tokio::test]
async fn forty_identical_requests_at_once_run_the_handler_once() {
    let (receiver, runs, request, held) = (receiver(), Runs::default(), request("a"), Held::new());
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let (receiver, runs, request, held) = (
                receiver.clone(),
                runs.clone(),
                request.clone(),
                held.clone(),
            );
            tokio::spawn(async move {
                receive(&receiver, &request, move |delivery| async move {
                    runs.count();
                    held.run(delivery).await
                })
                .await
            })
        })
        .collect();
    held.has_begun().await;
    // Each of the forty is either answered or runs, whatever the answers are.
    while tasks.iter().filter(|task| task.is_finished()).count() + runs.get() < 40 {
        tokio::task::yield_now().await;
    }
    held.go_on();
    let mut verdicts = Vec::new();
    for task in tasks {
        verdicts.push(task.await.unwrap());
    }
    assert_eq!(
        verdicts
            .iter()
            .filter(|verdict| **verdict == Verdict::Handled)
            .count(),
        1
    );
    assert_eq!(
        verdicts
            .iter()
            .filter(|verdict| **verdict == Verdict::InProgress)
            .count(),
        39
    );
    assert_eq!(runs.get(), 1);
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_stop_the_handler() {
    let (receiver, request, held, runs) = (receiver(), request("a"), Held::new(), Runs::default());
    let waiting = held.begin(&receiver, request.clone()).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());

    assert_eq!(
        receive_counted(&receiver, &request, &runs).await,
        Verdict::InProgress
    );
    held.go_on();
    while receiver.counters().in_flight > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        receive_counted(&receiver, &request, &runs).await,
        Verdict::Duplicate
    );
    assert_eq!(runs.get(), 0);
}

/// A process that dies leaves its claim behind; here, a runtime that dies with its tasks.
#[test]
fn after_a_crash_the_delivery_is_free_when_the_lease_is_over() {
    let store = Arc::new(MemoryStore::new());
    let build = || -> Receiver { builder().store(Arc::clone(&store)).build().unwrap() };
    let request = request("a");
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };

    let crashing = runtime();
    let (first, held) = (build(), Held::new());
    crashing.block_on(async {
        let (request, held) = (request.clone(), held.clone());
        let running = held.clone();
        tokio::spawn(
            async move { receive(&first, &request, |delivery| running.run(delivery)).await },
        );
        held.has_begun().await;
    });
    drop(crashing);

    runtime().block_on(async {
        let (second, runs) = (build(), Runs::default());
        assert_eq!(
            receive_counted(&second, &request, &runs).await,
            Verdict::InProgress
        );
        tokio::time::advance(Duration::from_secs(11)).await;
        let verdict = receive(&second, &request, |delivery| async move {
            assert_eq!(delivery.attempt(), 2);
            Ok(())
        });
        assert_eq!(verdict.await, Verdict::Handled);
    });
}

#[tokio::test]
async fn callbacks_beyond_the_limit_are_answered_busy() {
    let receiver = builder().max_in_flight(1).build().unwrap();
    let (held, runs) = (Held::new(), Runs::default());
    let first = held.begin(&receiver, request("a")).await;
    assert_eq!(
        receive_counted(&receiver, &request("b"), &runs).await,
        Verdict::Busy
    );
    held.go_on();
    assert_eq!(first.await.unwrap(), Verdict::Handled);
    assert_eq!(
        receive_counted(&receiver, &request("b"), &runs).await,
        Verdict::Handled
    );
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_handlers_and_starts_none() {
    let (receiver, held) = (receiver(), Held::new());
    let running = held.begin(&receiver, request("a")).await;
    let shutdown = tokio::spawn({
        let receiver = receiver.clone();
        async move { receiver.shutdown().await }
    });
    while receive_counted(&receiver, &request("b"), &Runs::default()).await != Verdict::Busy {
        tokio::task::yield_now().await;
    }
    assert!(!shutdown.is_finished());
    held.go_on();
    assert_eq!(running.await.unwrap(), Verdict::Handled);
    shutdown.await.unwrap();
    receiver.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_settles_unfinished_handlers_so_that_another_process_can_run_them() {
    let store = Arc::new(MemoryStore::new());
    let build = || builder().store(Arc::clone(&store)).build().unwrap();
    let (receiver, held, request) = (build(), Held::new(), request("a"));
    let running = held.begin(&receiver, request.clone()).await;
    receiver.shutdown().await;
    assert_eq!(running.await.unwrap(), Verdict::HandlerTimeout);
    assert_eq!(
        receive_counted(&build(), &request, &Runs::default()).await,
        Verdict::Handled
    );
}

#[tokio::test]
async fn no_signature_is_verified_twice_with_different_content() {
    let receiver = receiver();
    let request: SignedRequest = request("a");
    assert_eq!(verify(&receiver, request.body()).await.err(), None);
    assert_eq!(
        verify(&receiver, request.body()).await.err(),
        None,
        "the same content may come again"
    );
    let tampered = request.tampered(|builder| builder.field("stream_alias", "b"));
    assert_eq!(
        verify(&receiver, tampered.body()).await.err(),
        Some(Verdict::SignatureReused)
    );
}
