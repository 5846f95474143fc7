//! What a peer can cause with one captured request, sent again and again: everything is bounded, and
//! the rest is counted.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/listener.rs"]
mod listener;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Runs, SECRET, builder, now, receive, receive_counted, request, verify};
use listener::Listener;
use zego_record_core::Verdict;
use zego_record_receiver::{HandlerError, MemoryGuard, Receiver, ReplayProtection};
use zego_record_testkit::{ManualClock, RequestBuilder, Signing};

/// The longest text that may be logged of one that a peer has written: cut, marked, and escaped.
const MAX_LOGGED: usize = 600;

fn on_still_clock() -> (Receiver, ManualClock) {
    let clock = ManualClock::new(now());
    (builder().clock(clock.clone()).build().unwrap(), clock)
}

#[tokio::test]
async fn one_captured_signature_cannot_flood_the_log_by_reuse() {
    let listener = Listener::listen();
    let clock = ManualClock::new(now());
    let observing = ReplayProtection::from(MemoryGuard::new()).observe_only();
    let observing = builder().clock(clock.clone()).guard(observing);
    let rejecting = builder().clock(clock.clone());
    for (receiver, line) in [
        (rejecting, "rejected a signed request"),
        (observing, "a signature came a second time"),
    ] {
        let receiver = receiver.build().unwrap();
        let genuine = request("genuine");
        assert!(verify(&receiver, genuine.body()).await.is_ok());
        let reuse = async |n| {
            let forged = genuine.tampered(|it| it.field("stream_alias", format!("forged-{n}")));
            let _ = verify(&receiver, forged.body()).await;
        };
        for number in 0..2_000 {
            reuse(number).await;
        }
        assert_eq!(listener.take_events(line).len(), 10);
        assert_eq!(receiver.counters().signatures_reused, 2_000);
        clock.advance(Duration::from_secs(1));
        reuse(2_000).await;
        let next = listener.take_events(line);
        assert_eq!(next.len(), 1);
        assert_eq!(next[0].field("suppressed"), Some("1990"));
    }
}

#[tokio::test]
async fn other_events_cannot_flood_the_log_with_names_that_the_sender_has_chosen() {
    let listener = Listener::listen();
    let (receiver, _) = on_still_clock();
    for number in 0..100 {
        let name = format!("{number}{}", "x".repeat(60_000));
        let event = RequestBuilder::new(SECRET, now()).field("event", name);
        let result = verify(&receiver, event.build().body()).await;
        assert_eq!(result.err(), Some(Verdict::Ignored));
    }
    let lines = listener.take_events("ignored an event other than record");
    assert_eq!(lines.len(), 10);
    for line in lines {
        assert!(line.field("event").unwrap().len() <= MAX_LOGGED);
    }
}

#[tokio::test]
async fn duplicates_failures_and_retries_cannot_flood_the_log() {
    let listener = Listener::listen();
    let (receiver, _) = on_still_clock();
    let genuine = request("genuine");
    for _ in 0..500 {
        receive_counted(&receiver, &genuine, &Runs::default()).await;
        receive(&receiver, &request("fails"), |_| async { Err("no".into()) }).await;
    }
    assert!(listener.take_events("a duplicate").len() <= 10);
    assert!(listener.take_events("the handler failed").len() <= 100);
}

/// A fresh request and stale ones in turn: the clock is suspected and trusted again each time.
#[tokio::test]
async fn suspicions_of_the_clock_cannot_flood_the_log() {
    let listener = Listener::listen();
    let (receiver, _) = on_still_clock();
    let fresh = request("fresh");
    let stale: Vec<_> = (0..3)
        .map(|_| RequestBuilder::new(SECRET, now()).age(400).build())
        .collect();
    // A single one is no suspicion.
    for (captured, max_lines) in [(&stale[..1], 0), (&stale[..], 10)] {
        for _ in 0..200 {
            for request in captured {
                let result = verify(&receiver, request.body()).await;
                assert_eq!(result.err(), Some(Verdict::Stale));
            }
            assert!(verify(&receiver, fresh.body()).await.is_ok());
        }
        let lines = listener.take_events("signed requests");
        assert!(lines.len() <= max_lines, "{}", lines.len());
    }
}

/// Every field that a sender can write, in every line that it can cause.
#[tokio::test]
async fn every_string_from_a_peer_is_shortened_before_it_is_logged() {
    let listener = Listener::listen();
    let long = |mark: &str| format!("{mark}{}", "x".repeat(9_000));
    let base = || {
        let base = RequestBuilder::new(SECRET, now());
        base.field("stream_alias", long("stream_alias"))
            .field("another", long("another"))
            .field("replay_url", format!("https://h/{}", "u".repeat(9_000)))
    };
    let sent = [
        base(),
        base().field("appid", long("appid")),
        base().signing(Signing::Unsigned),
        base()
            .field("appid", long("appid"))
            .signing(Signing::Garbage),
        base().age(400),
        base().age(-400),
        base().field("event", long("event")),
        base().field("begin_time", long("begin")),
        base().nonce(long("nonce")),
        base().timestamp(long("timestamp")),
        base().add_field("stream_alias", long("twice")),
        base().field(long("name"), "a"),
    ];
    let mut verdicts = Vec::new();
    for request in sent {
        // A receiver each, so that no line is suppressed.
        let (receiver, _) = on_still_clock();
        let request = request.build();
        let error = |_| async {
            Err(HandlerError::retry(format!(
                "no\n\u{1b}[31m{}",
                "e".repeat(9_000)
            )))
        };
        verdicts.push(receive(&receiver, &request, error).await);
        let forged = request.tampered(|it| it.field("stream_alias", long("forged")));
        receive(&receiver, &forged, error).await;
    }
    // One of each kind, so that every line is written.
    for verdict in [
        Verdict::HandlerFailed,
        Verdict::Unsigned,
        Verdict::BadSignature,
        Verdict::Stale,
        Verdict::Future,
        Verdict::Ignored,
        Verdict::Invalid,
        Verdict::Malformed,
    ] {
        assert!(verdicts.contains(&verdict), "{verdict}: {verdicts:?}");
    }
    let fields = listener.fields();
    assert!(fields.len() > 50, "{fields:#?}");
    for (name, text) in fields {
        assert!(text.len() <= MAX_LOGGED, "{name}: {text}");
        assert!(!text.contains(['\n', '\u{1b}']), "{name}: {text:?}");
    }
}

#[tokio::test]
async fn one_stale_request_cannot_fill_the_quarantine() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let clock = ManualClock::new(now());
    let receiver = builder()
        .clock(clock.clone())
        .on_quarantine({
            let bodies = Arc::clone(&bodies);
            move |it| bodies.lock().unwrap().push(it.body().to_vec())
        })
        .build()
        .unwrap();
    let quarantined = || std::mem::take(&mut *bodies.lock().unwrap());
    let stale = RequestBuilder::new(SECRET, now()).age(4_000).build();
    // One content over and over.
    for _ in 0..500 {
        assert!(verify(&receiver, stale.body()).await.is_err());
    }
    assert_eq!(quarantined(), [stale.body()]);
    assert_eq!(receiver.counters().quarantine_suppressed, 499);

    // Many contents under one signature, in as many seconds.
    for number in 0..500 {
        clock.advance(Duration::from_secs(1));
        let other = stale.tampered(|it| it.field("stream_alias", format!("{number}")));
        assert!(verify(&receiver, other.body()).await.is_err());
    }
    assert_eq!(quarantined().len(), 3);
    assert_eq!(receiver.counters().quarantine_suppressed, 499 + 497);

    // Many signatures in one second; what was not taken then is taken when it comes again.
    let many: Vec<_> = (0..50).map(|_| stale.resigned_stale()).collect();
    for expected in [10, 10, 10, 10, 10, 0] {
        clock.advance(Duration::from_secs(1));
        for request in &many {
            assert!(verify(&receiver, request.body()).await.is_err());
        }
        assert_eq!(quarantined().len(), expected);
    }
}

/// A captured request with a signature of its own.
trait ResignedStale {
    fn resigned_stale(&self) -> Self;
}

impl ResignedStale for zego_record_testkit::SignedRequest {
    fn resigned_stale(&self) -> Self {
        let then = now().get() - 4_000;
        self.resigned(zego_record_core::UnixSeconds::new(then))
    }
}

#[tokio::test]
async fn one_stale_request_sent_three_times_is_no_reason_to_suspect_the_clock() {
    let (receiver, _) = on_still_clock();
    let stale = |stream: &str| {
        let stale = RequestBuilder::new(SECRET, now()).age(400);
        stale.field("stream_alias", stream).build()
    };
    let captured = stale("a");
    let upper = String::from_utf8(captured.body().to_vec()).unwrap();
    let signature = captured.signature().unwrap();
    let upper = upper.replace(signature, &signature.to_uppercase());
    let other = captured.tampered(|it| it.field("stream_alias", "forged"));
    for body in [
        captured.body(),
        captured.body(),
        upper.as_bytes(),
        other.body(),
    ] {
        let result = verify(&receiver, body).await;
        assert_eq!(result.err(), Some(Verdict::Stale));
        assert_eq!(receiver.counters().suspected_clock_skew, None);
    }

    // Two more that are distinct are one.
    for stream in ["b", "c"] {
        assert_eq!(receiver.counters().suspected_clock_skew, None);
        assert!(verify(&receiver, stale(stream).body()).await.is_err());
    }
    let skew = receiver.counters().suspected_clock_skew.unwrap();
    assert!((-405..=-395).contains(&skew), "{skew}");

    // One that is fresh proves the clock right.
    assert!(verify(&receiver, request("fresh").body()).await.is_ok());
    assert_eq!(receiver.counters().suspected_clock_skew, None);
}
