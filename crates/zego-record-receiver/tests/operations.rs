//! What an operator sees: hooks, counters, and mistakes in the configuration.

#![allow(clippy::unwrap_used)]

mod common;

use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Runs, SECRET, builder, now, receive, receive_counted, receiver, request, verify};
use zego_record_core::{
    CallbackSecret, ConfigErrorKind, ReplayUrlPolicy, UnixSeconds, Verdict, Verifier,
};
use zego_record_receiver::{
    Clock, HandlerError, Receiver, ReceiverBuilder, StoreError, StoreErrorKind,
};
use zego_record_testkit::{RequestBuilder, Signing};

type Log<T> = Arc<Mutex<Vec<T>>>;

fn log<T>() -> (Log<T>, Log<T>) {
    let log = Log::default();
    (Arc::clone(&log), log)
}

#[tokio::test]
async fn every_rejection_is_reported_and_a_signed_one_is_quarantined() {
    let ((rejected, rejections), (quarantined, bodies), (ignored, events)) = (log(), log(), log());
    let receiver = builder()
        .on_rejected(move |it| rejected.lock().unwrap().push(it.rejection().verdict()))
        .on_quarantine(move |it| {
            quarantined
                .lock()
                .unwrap()
                .push((it.rejection().verdict(), it.body().to_vec()));
        })
        .on_ignored(move |event| ignored.lock().unwrap().push(event.name().to_owned()))
        .build()
        .unwrap();
    let base = RequestBuilder::new(SECRET, now());
    let unsigned = base.clone().signing(Signing::Unsigned).build();
    let stale = base.clone().age(400).build();
    let invalid = base.clone().without("replay_url").build();
    let compose = base.clone().field("event", "compose").build();
    for (request, verdict) in [
        (&unsigned, Verdict::Unsigned),
        (&stale, Verdict::Stale),
        (&invalid, Verdict::Invalid),
        (&compose, Verdict::Ignored),
    ] {
        assert_eq!(verify(&receiver, request.body()).await.err(), Some(verdict));
        assert_eq!(receiver.counters().answered(verdict), 1);
    }
    assert_eq!(
        *rejections.lock().unwrap(),
        [Verdict::Unsigned, Verdict::Stale, Verdict::Invalid]
    );
    assert_eq!(
        *bodies.lock().unwrap(),
        [
            (Verdict::Stale, stale.body().to_vec()),
            (Verdict::Invalid, invalid.body().to_vec())
        ]
    );
    assert_eq!(*events.lock().unwrap(), ["compose"]);
}

#[tokio::test]
async fn other_events_are_rejected_if_configured() {
    let receiver = builder().reject_other_events().build().unwrap();
    let request = RequestBuilder::new(SECRET, now())
        .field("event", "compose")
        .build();
    assert_eq!(
        verify(&receiver, request.body()).await.err(),
        Some(Verdict::UnexpectedEvent)
    );
}

#[tokio::test]
async fn a_playback_url_that_is_not_allowed_reaches_no_handler_and_is_quarantined() {
    let verifier = Verifier::builder()
        .secret(CallbackSecret::new(SECRET).unwrap())
        .replay_urls(ReplayUrlPolicy::hosts(["vod.example.com"]).unwrap())
        .build()
        .unwrap();
    let (quarantined, bodies) = log();
    let receiver = Receiver::builder(verifier)
        .on_quarantine(move |it| quarantined.lock().unwrap().push(it.body().to_vec()))
        .build()
        .unwrap();
    let forged = RequestBuilder::new(SECRET, now())
        .field("replay_url", "http://169.254.169.254/latest/meta-data")
        .build();
    let runs = Runs::default();
    assert_eq!(
        receive_counted(&receiver, &forged, &runs).await,
        Verdict::ReplayUrlRefused
    );
    assert_eq!(
        receive_counted(&receiver, &request("allowed"), &runs).await,
        Verdict::Handled
    );
    assert_eq!(runs.get(), 1);
    assert_eq!(*bodies.lock().unwrap(), [forged.body()]);
}

#[test]
fn an_error_keeps_its_cause_and_does_not_repeat_it() {
    let error = |kind| StoreError::new(kind, std::io::Error::other("the line is cut"));
    for kind in [
        StoreErrorKind::Unavailable,
        StoreErrorKind::Timeout,
        StoreErrorKind::Corrupt,
        StoreErrorKind::Config,
    ] {
        let error = error(kind);
        assert!(!error.to_string().contains("the line is cut"), "{error}");
        let cause = error.source().unwrap();
        assert!(cause.is::<std::io::Error>(), "{cause:?}");
    }
    // The one that is no error itself lists all of its causes, each once.
    assert_eq!(
        HandlerError::retry(error(StoreErrorKind::Timeout)).to_string(),
        "the store did not answer in time: the line is cut"
    );
}

#[tokio::test]
async fn a_hook_that_panics_changes_no_verdict() {
    let receiver = builder()
        .on_rejected(|_| panic!("in a hook"))
        .on_quarantine(|_| panic!("in a hook"))
        .on_ignored(|_| panic!("in a hook"))
        .build()
        .unwrap();
    let stale = RequestBuilder::new(SECRET, now()).age(400).build();
    let compose = RequestBuilder::new(SECRET, now())
        .field("event", "compose")
        .build();
    assert_eq!(
        verify(&receiver, stale.body()).await.err(),
        Some(Verdict::Stale)
    );
    assert_eq!(
        verify(&receiver, compose.body()).await.err(),
        Some(Verdict::Ignored)
    );
}

fn watched() -> (Receiver, Log<(String, Verdict)>) {
    let (abandoned, log) = log();
    let receiver = builder()
        .on_abandoned(move |it| {
            abandoned
                .lock()
                .unwrap()
                .push((it.callback().stream_alias().to_owned(), it.verdict()));
        })
        .build()
        .unwrap();
    (receiver, log)
}

async fn fail(receiver: &Receiver, name: &str) {
    let verdict = receive(receiver, &request(name), |_| async { Err("no".into()) }).await;
    assert_eq!(verdict, Verdict::HandlerFailed);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_failed_and_never_came_again_is_reported() {
    let (receiver, log) = watched();
    fail(&receiver, "lost").await;
    fail(&receiver, "saved").await;
    tokio::time::sleep(Duration::from_secs(63)).await;
    assert!(log.lock().unwrap().is_empty());
    receive_counted(&receiver, &request("saved"), &Runs::default()).await;
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(
        *log.lock().unwrap(),
        [("lost".to_owned(), Verdict::HandlerFailed)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_reported_once_after_its_last_failure() {
    let (receiver, log) = watched();
    for pause in [2, 4, 8, 16, 32, 63] {
        fail(&receiver, "lost").await;
        tokio::time::sleep(Duration::from_secs(pause)).await;
        assert!(log.lock().unwrap().is_empty());
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(log.lock().unwrap().len(), 1);
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert_eq!(log.lock().unwrap().len(), 1);
}

/// A clock that is set by hand.
#[derive(Debug)]
struct Wrong(i64);

impl Clock for Wrong {
    fn now(&self) -> UnixSeconds {
        UnixSeconds::new(now().get() + self.0)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_suspected() {
    let receiver = builder().clock(Wrong(3_600)).build().unwrap();
    for name in ["a", "b", "c"] {
        assert_eq!(receiver.counters().suspected_clock_skew, None);
        assert_eq!(
            verify(&receiver, request(name).body()).await.err(),
            Some(Verdict::Stale)
        );
    }
    let skew = receiver.counters().suspected_clock_skew.unwrap();
    assert!((-3_605..=-3_595).contains(&skew), "{skew}");
}

#[tokio::test]
async fn single_stale_requests_are_no_reason_to_suspect_the_clock() {
    let receiver = receiver();
    for age in [400, 500, 600, 400] {
        let stale = RequestBuilder::new(SECRET, now()).age(age).build();
        assert_eq!(
            verify(&receiver, stale.body()).await.err(),
            Some(Verdict::Stale)
        );
        assert_eq!(verify(&receiver, request("fresh").body()).await.err(), None);
    }
    assert_eq!(receiver.counters().suspected_clock_skew, None);
}

#[test]
fn rejects_an_unsafe_configuration() {
    let seconds = Duration::from_secs;
    type Set = fn(ReceiverBuilder) -> ReceiverBuilder;
    let with_tolerance = |tolerance| {
        let secret = CallbackSecret::new(SECRET).unwrap();
        let verifier = Verifier::builder()
            .secret(secret)
            .past_tolerance(tolerance)
            .build()
            .unwrap();
        Receiver::builder(verifier)
    };
    let rows: [(Set, Option<&str>); 13] = [
        (|b| b, None),
        (|b| b.lease(Duration::from_secs(10)), None),
        (|b| b.lease(Duration::from_millis(31_999)), None),
        (
            |b| b.lease(Duration::from_secs(32)),
            Some("lease of 32s is too long"),
        ),
        (
            |b| b.handler_timeout(Duration::from_secs(30)),
            Some("handler timeout of 30s is too long"),
        ),
        (
            |b| b.lease(Duration::from_millis(9_999)),
            Some("lease of 9.999s is too short"),
        ),
        (|b| b.retention(Duration::from_secs(661)), None),
        (
            |b| b.retention(Duration::from_secs(660)),
            Some("retention of 660s is too short"),
        ),
        (|b| b.body_limit(0), Some("body limit is zero")),
        (
            |b| b.body_deadline(Duration::ZERO),
            Some("body deadline is zero"),
        ),
        (
            |b| b.handler_timeout(Duration::ZERO),
            Some("handler timeout is zero"),
        ),
        (
            |b| b.store_timeout(Duration::ZERO),
            Some("store timeout is zero"),
        ),
        (|b| b.max_in_flight(0), Some("in flight is zero")),
    ];
    for (row, (set, expected)) in rows.into_iter().enumerate() {
        let error = set(builder()).build().err();
        match (&error, expected) {
            (None, None) => {}
            (Some(error), Some(expected)) => {
                assert_eq!(error.kind(), ConfigErrorKind::Limit, "row {row}");
                assert!(error.to_string().contains(expected), "row {row}: {error}");
            }
            _ => panic!("row {row}: {error:?}"),
        }
    }
    assert!(
        with_tolerance(seconds(400))
            .retention(seconds(760))
            .build()
            .is_err()
    );
    assert!(
        with_tolerance(seconds(400))
            .retention(seconds(761))
            .build()
            .is_ok()
    );
    assert!(
        with_tolerance(seconds(0))
            .handler_timeout(Duration::MAX)
            .build()
            .is_err()
    );
}

#[test]
fn no_debug_output_holds_a_secret() {
    let receiver = receiver();
    for text in [format!("{receiver:?}"), format!("{:?}", builder())] {
        assert!(!text.contains(SECRET), "{text}");
    }
}
