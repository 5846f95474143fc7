//! The replay guard: one signature, one content.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{SECRET, UnreachableGuard, builder, now, receiver, request, verify};
use zego_record_core::{UnixSeconds, Verdict};
use zego_record_receiver::{
    Binding, BoxFuture, MemoryGuard, MemoryStore, ReplayCheck, ReplayGuard, ReplayProtection,
    StoreError,
};
use zego_record_testkit::{ManualClock, RequestBuilder};

const KEEP_FOR: Duration = Duration::from_secs(360);

fn check(signature: u32, content: u8) -> ReplayCheck {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&signature.to_le_bytes());
    ReplayCheck::new(bytes, [content; 16], KEEP_FOR)
}

#[tokio::test]
async fn a_signature_with_other_content_is_rejected_and_quarantined() {
    let quarantined = Arc::new(Mutex::new(Vec::new()));
    let receiver = builder()
        .on_quarantine({
            let quarantined = Arc::clone(&quarantined);
            move |it| {
                quarantined
                    .lock()
                    .unwrap()
                    .push((it.rejection().verdict(), it.body().to_vec()));
            }
        })
        .build()
        .unwrap();
    let genuine = request("genuine");
    assert_eq!(verify(&receiver, genuine.body()).await.err(), None);
    // In either case of the hexadecimal digits, it is the same signature.
    let forged = genuine.tampered(|builder| builder.field("stream_alias", "forged"));
    let signature = forged.signature().unwrap();
    let upper = String::from_utf8(forged.body().to_vec())
        .unwrap()
        .replace(signature, &signature.to_uppercase());
    for body in [forged.body(), upper.as_bytes()] {
        assert_eq!(
            verify(&receiver, body).await.err(),
            Some(Verdict::SignatureReused)
        );
    }
    let expected: Vec<_> = [forged.body(), upper.as_bytes()]
        .map(|body| (Verdict::SignatureReused, body.to_vec()))
        .into();
    assert_eq!(*quarantined.lock().unwrap(), expected);
    assert_eq!(receiver.counters().signatures_reused, 2);
}

#[tokio::test]
async fn a_timestamp_and_a_nonce_that_change_places_carry_no_other_content() {
    let receiver = receiver();
    let (earlier, later) = (now().get() - 100, now().get());
    let signed = |timestamp: i64, nonce: i64, stream: &str| {
        RequestBuilder::new(SECRET, now())
            .timestamp(timestamp.to_string())
            .nonce(nonce.to_string())
            .field("stream_alias", stream)
            .build()
    };
    let genuine = signed(earlier, later, "genuine");
    let forged = signed(later, earlier, "forged");
    assert_eq!(genuine.signature(), forged.signature());
    assert_eq!(verify(&receiver, genuine.body()).await.err(), None);
    assert_eq!(
        verify(&receiver, forged.body()).await.err(),
        Some(Verdict::SignatureReused)
    );
}

#[tokio::test]
async fn a_nonce_that_comes_again_under_another_signature_is_no_replay() {
    let receiver = receiver();
    for age in [0, 1] {
        let request = RequestBuilder::new(SECRET, now())
            .age(age)
            .nonce("158273")
            .field("stream_alias", format!("lesson-{age}"))
            .build();
        assert_eq!(verify(&receiver, request.body()).await.err(), None);
    }
}

#[tokio::test]
async fn a_guard_that_only_observes_counts_and_one_that_is_off_does_not() {
    let observing = ReplayProtection::from(MemoryGuard::new()).observe_only();
    for (mode, counted) in [(observing, 1), (ReplayProtection::insecure_off(), 0)] {
        let receiver = builder().guard(mode.clone()).build().unwrap();
        let genuine = request("genuine");
        let forged = genuine.tampered(|builder| builder.field("stream_alias", "forged"));
        assert_eq!(
            verify(&receiver, genuine.body()).await.err(),
            None,
            "{mode:?}"
        );
        assert_eq!(
            verify(&receiver, forged.body()).await.err(),
            None,
            "{mode:?}"
        );
        assert_eq!(receiver.counters().signatures_reused, counted, "{mode:?}");
    }
}

#[derive(Debug)]
struct Hanging;

impl ReplayGuard for Hanging {
    fn bind<'a>(&'a self, _: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        Box::pin(std::future::pending())
    }

    fn purge(&self, _: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async { Ok(0) })
    }

    fn evictions(&self) -> u64 {
        0
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_cannot_be_reached_is_replaced_by_memory() {
    for receiver in [
        builder()
            .guard(UnreachableGuard { evictions: 0 })
            .build()
            .unwrap(),
        builder().guard(Hanging).build().unwrap(),
    ] {
        let genuine = request("genuine");
        let forged = genuine.tampered(|builder| builder.field("stream_alias", "forged"));
        assert_eq!(verify(&receiver, genuine.body()).await.err(), None);
        assert_eq!(
            verify(&receiver, forged.body()).await.err(),
            Some(Verdict::SignatureReused)
        );
        assert_eq!(receiver.counters().guard_fallbacks, 2);
    }
}

#[tokio::test]
async fn a_flood_of_unsigned_and_forged_requests_leaves_no_trace() {
    let guard = Arc::new(MemoryGuard::new());
    let store = Arc::new(MemoryStore::new());
    let receiver = builder()
        .guard(Arc::clone(&guard))
        .store(Arc::clone(&store))
        .build()
        .unwrap();
    let genuine = request("a");
    let body = String::from_utf8(genuine.body().to_vec()).unwrap();
    for number in 0..10_000 {
        let forged = body.replace(genuine.signature().unwrap(), &format!("{number:040x}"));
        assert_eq!(
            verify(&receiver, forged.as_bytes()).await.err(),
            Some(Verdict::BadSignature)
        );
        let unsigned = format!("stream_alias={number}");
        assert_eq!(
            verify(&receiver, unsigned.as_bytes()).await.err(),
            Some(Verdict::Unsigned)
        );
    }
    assert!(guard.is_empty() && store.is_empty());
    // A signed one leaves its trace where these would have.
    assert_eq!(verify(&receiver, genuine.body()).await.err(), None);
    assert!(!guard.is_empty());
}

#[test]
fn bindings_are_removed_when_they_expire_and_the_oldest_when_the_guard_is_full() {
    let clock = ManualClock::new(UnixSeconds::new(1_000));
    let guard = MemoryGuard::with_capacity(3).with_clock(clock.clone());
    assert_eq!(guard.bind_now(&check(1, 1)), Binding::First);
    clock.advance(KEEP_FOR);
    assert_eq!(guard.bind_now(&check(1, 1)), Binding::Same, "kept for that");
    assert_eq!(guard.bind_now(&check(1, 2)), Binding::Conflict);
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        guard.bind_now(&check(1, 2)),
        Binding::First,
        "and no longer"
    );
    assert_eq!(guard.evictions(), 0);

    for signature in 2..=4 {
        clock.advance(Duration::from_secs(1));
        assert_eq!(guard.bind_now(&check(signature, 1)), Binding::First);
    }
    assert_eq!((guard.len(), guard.evictions()), (3, 1));
    assert_eq!(guard.bind_now(&check(4, 9)), Binding::Conflict);
    assert_eq!(
        guard.bind_now(&check(1, 9)),
        Binding::First,
        "the oldest was removed"
    );
}

#[test]
fn a_million_signatures_stay_within_the_bound() {
    let guard = MemoryGuard::with_capacity(10_000);
    for number in 0..1_000_000_u32 {
        // As evenly spread as real signatures are.
        let spread = number.wrapping_mul(2_654_435_761).swap_bytes();
        assert_eq!(guard.bind_now(&check(spread, 1)), Binding::First);
    }
    assert!(guard.len() <= 10_000, "{}", guard.len());
    assert_eq!(guard.evictions(), 1_000_000 - guard.len() as u64);
}

/// A cache that chooses what to take or to keep would forget just these.
#[test]
fn a_full_guard_still_rejects_the_replay_of_a_fresh_signature() {
    let guard = MemoryGuard::with_capacity(10_000);
    for number in 0..50_000_u32 {
        let signature = number.wrapping_mul(2_654_435_761).swap_bytes();
        assert_eq!(guard.bind_now(&check(signature, 1)), Binding::First);
        let replay = check(signature, 2);
        assert_eq!(guard.bind_now(&replay), Binding::Conflict, "{number}");
    }
    assert!(guard.evictions() > 0, "it was never full");
}

#[test]
fn neither_a_guard_nor_a_check_prints_a_signature() {
    // Whoever reads one in a log can send any body under it.
    let guard = MemoryGuard::with_capacity(1_000);
    let seen = check(1, 1);
    assert_eq!(guard.bind_now(&seen), Binding::First);
    assert_eq!(format!("{seen:?}"), "ReplayCheck { keep_for: 360s, .. }");
    assert_eq!(format!("{guard:?}"), "MemoryGuard { capacity: 1000, .. }");
}

#[test]
fn only_one_of_many_threads_gets_first() {
    let guard = MemoryGuard::new();
    for round in 0..500 {
        let firsts = AtomicUsize::new(0);
        thread::scope(|scope| {
            for content in 0..4 {
                let (guard, firsts) = (&guard, &firsts);
                scope.spawn(move || {
                    if guard.bind_now(&check(round, content)) == Binding::First {
                        firsts.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(firsts.load(Ordering::SeqCst), 1, "round {round}");
    }
}

#[test]
fn a_clock_that_is_set_back_or_forth_opens_no_gap() {
    let clock = ManualClock::new(UnixSeconds::new(10_000));
    let guard = MemoryGuard::with_capacity(10).with_clock(clock.clone());
    assert_eq!(guard.bind_now(&check(1, 1)), Binding::First);
    // An hour back and a day forth: what was bound stays bound, and what comes now is bound as well.
    for (signature, time) in [(2, 6_400), (3, 96_400)] {
        clock.set(UnixSeconds::new(time));
        assert_eq!(guard.bind_now(&check(1, 2)), Binding::Conflict);
        assert_eq!(guard.bind_now(&check(signature, 1)), Binding::First);
        clock.advance(Duration::from_secs(100));
        assert_eq!(guard.bind_now(&check(signature, 2)), Binding::Conflict);
    }
}
