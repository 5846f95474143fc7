//! What a receiver logs and counts, seen by a subscriber and a recorder as an operator would have them.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/listener.rs"]
mod listener;
mod recorder;

use std::sync::Arc;
use std::time::Duration;

use common::{
    Held, Runs, SECRET, UnreachableGuard, builder, now, receive, receive_counted, request, verify,
};
use listener::Listener;
use recorder::Recorded;
use tracing::Level;
use zego_record_core::{CallbackSecret, Vendor, Verdict, sign};
use zego_record_receiver::{HandlerError, MemoryGuard, MemoryStore, ReplayProtection};
use zego_record_testkit::{ManualClock, RequestBuilder, SignedRequest, Signing};

const SPAN: &str = "zego_record_callback";

#[tokio::test]
async fn each_callback_is_one_span_with_all_that_is_known_of_it() {
    let listener = Listener::listen();
    let receiver = builder().build().unwrap();
    let lesson = request("lesson-7");
    let fails = |_| async { Err(HandlerError::retry("the disk is full")) };
    assert_eq!(
        receive(&receiver, &lesson, fails).await,
        Verdict::HandlerFailed
    );
    for expected in [Verdict::Handled, Verdict::Duplicate] {
        assert_eq!(
            receive_counted(&receiver, &lesson, &Runs::default()).await,
            expected
        );
    }
    let unsigned = RequestBuilder::new(SECRET, now()).signing(Signing::Unsigned);
    assert!(verify(&receiver, unsigned.build().body()).await.is_err());

    let spans = listener.spans(SPAN);
    let expected = [
        (Some("1"), "handler_failed"),
        (Some("2"), "handled"),
        (None, "duplicate"),
    ];
    assert_eq!(
        spans.len(),
        expected.len(),
        "one for each callback, and none for what is rejected: {spans:#?}"
    );
    for (span, (attempt, verdict)) in spans.iter().zip(expected) {
        assert_eq!(span.level, Level::INFO);
        let fields = ["event_id", "appid", "stream", "verdict"].map(|name| span.field(name));
        let event_id = "1234567890:url:https://vod.example.com/lesson-7.mp4";
        let all = [event_id, "1234567890", "lesson-7", verdict].map(Some);
        assert_eq!(fields, all);
        assert_eq!(span.field("attempt"), attempt, "{verdict}");
    }
    let within = listener.event("the handler failed");
    assert_eq!(within.within.as_deref(), Some(SPAN), "{within:?}");
    assert_eq!(within.level, Level::ERROR);
}

#[tokio::test]
async fn rejections_are_logged_ten_times_a_second_and_the_rest_is_counted() {
    let listener = Listener::listen();
    let clock = ManualClock::new(now());
    let receiver = builder().clock(clock.clone()).build().unwrap();
    let reject =
        async |times| {
            for _ in 0..times {
                let verdict = verify(&receiver, b"stream_alias=a").await.err();
                assert_eq!(verdict, Some(Verdict::Unsigned));
            }
            let rejections = listener.take_events("rejected: ");
            assert!(
                rejections.iter().all(|event| event.level == Level::WARN
                    && event.field("verdict") == Some("unsigned")),
                "{rejections:#?}"
            );
            let suppressed = rejections
                .iter()
                .map(|event| event.field("suppressed").unwrap().to_owned());
            suppressed.collect::<Vec<_>>()
        };
    assert_eq!(reject(25).await, ["0"; 10]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(reject(2).await, ["15", "0"]);
    assert_eq!(receiver.counters().answered(Verdict::Unsigned), 27);
}

/// Everything that a receiver can log, caused by requests that hold what nobody may read.
#[tokio::test(start_paused = true)]
async fn neither_secret_nor_signature_nor_body_is_ever_logged() {
    let listener = Listener::listen();
    let store = Arc::new(MemoryStore::with_capacity(1));
    let receiver = builder()
        .guard(UnreachableGuard { evictions: 2 })
        .store(Arc::clone(&store))
        .build()
        .unwrap();
    let base = RequestBuilder::new(SECRET, now())
        .vendor(Vendor::Tencent)
        .field("replay_url", "https://vod.example.com/private-path.mp4")
        .field("another", "private-field");
    let named = |stream: &str| base.clone().field("stream_alias", stream).build();
    let genuine = named("genuine");
    let sent = [
        genuine.clone(),
        genuine.tampered(|builder| builder.field("stream_alias", "tampered")),
        base.clone().signing(Signing::Garbage).build(),
        base.clone().signing(Signing::OtherSecret).build(),
        base.clone().signing(Signing::NoSort).build(),
        base.clone().signing(Signing::Truncated).build(),
        base.clone().signing(Signing::Unsigned).build(),
        base.clone().age(-400).build(),
        base.clone().age(400).build(),
        base.clone().age(400).build(),
        base.clone().age(400).build(),
        base.clone().nonce("private nonce").build(),
        base.clone().without("begin_time").build(),
        base.clone().add_field("nonce", "private-twice").build(),
        base.clone().field("event", "compose").build(),
    ];
    for request in &sent {
        receive_counted(&receiver, request, &Runs::default()).await;
        // Not more in a second than are logged.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let observing = ReplayProtection::from(MemoryGuard::new()).observe_only();
    let observing = builder().guard(observing).build().unwrap();
    for request in &sent[..2] {
        assert!(verify(&observing, request.body()).await.is_ok());
    }
    let ends = [
        named("fails"),
        named("panics"),
        named("hangs"),
        named("discards"),
    ];
    receive(&receiver, &ends[0], |_| async { Err("no".into()) }).await;
    receive(&receiver, &ends[1], |_| async { panic!("on purpose") }).await;
    let held = Held::new();
    receive(&receiver, &ends[2], |delivery| held.run(delivery)).await;
    receive(&receiver, &ends[3], |_| async {
        Err(HandlerError::discard("no"))
    })
    .await;
    // Nothing comes again, so all that has failed is reported as lost.
    tokio::time::sleep(Duration::from_secs(100)).await;

    for message in [
        "rejected: ",
        "rejected a signed request: ",
        "a signature came a second time",
        "signed requests keep being rejected",
        "ignored an event other than record",
        "the store cannot be reached",
        "the handler failed",
        "the handler panicked",
        "the handler was not done in time",
        "the handler discarded",
        "ZEGOCLOUD did not send this callback again",
    ] {
        listener.event(message);
    }
    let log = listener.text().to_lowercase();
    for request in sent.iter().chain(&ends) {
        for private in private_parts(request) {
            let private = private.to_lowercase();
            assert!(!log.contains(&private), "{private} is in the log:\n{log}");
        }
    }
}

/// The secret, the signature as sent and as it would be right, and what only the body has.
fn private_parts(request: &SignedRequest) -> Vec<String> {
    let secret = CallbackSecret::new(SECRET).unwrap();
    let expected = sign(&secret, request.timestamp(), request.nonce()).to_string();
    let mut parts = vec![SECRET.to_owned(), expected, "private".to_owned()];
    parts.extend(request.signature().map(str::to_owned));
    parts.push(String::from_utf8_lossy(request.body()).into_owned());
    parts
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_arrives_at_the_recorder() {
    let recorded = Recorded::default();
    let _recording = metrics::set_default_local_recorder(&recorded);
    let receiver = builder()
        .guard(UnreachableGuard { evictions: 2 })
        .store(MemoryStore::with_capacity(1))
        .build()
        .unwrap();
    let (first, second) = (request("first"), request("second"));
    for request in [&first, &first, &second] {
        receive_counted(&receiver, request, &Runs::default()).await;
    }
    let tampered = second.tampered(|builder| builder.field("stream_alias", "tampered"));
    assert_eq!(
        verify(&receiver, tampered.body()).await.err(),
        Some(Verdict::SignatureReused)
    );

    let held = Held::new();
    let running = held.begin(&receiver, request("held")).await;
    assert_eq!(recorded.get("zego_record_handlers_in_flight"), 1);
    held.go_on();
    assert_eq!(running.await.unwrap(), Verdict::Handled);
    while receiver.counters().in_flight > 0 {
        tokio::task::yield_now().await;
    }
    // Guard and store are asked for their evictions once a minute.
    tokio::time::sleep(Duration::from_secs(61)).await;

    for (name, expected) in [
        ("zego_record_handlers_in_flight", 0),
        ("zego_record_verified_total", 4),
        ("zego_record_answers_total{verdict=handled}", 3),
        ("zego_record_answers_total{verdict=duplicate}", 1),
        ("zego_record_answers_total{verdict=signature_reused}", 1),
        ("zego_record_signatures_reused_total", 1),
        ("zego_record_guard_evictions_total", 2),
        ("zego_record_guard_fallbacks_total", 5),
        ("zego_record_store_evictions_total", 2),
    ] {
        assert_eq!(recorded.get(name), expected, "{name}: {recorded:?}");
    }
}
