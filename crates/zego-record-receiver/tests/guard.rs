//! The replay guard: one signature, one content.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use common::{SECRET, builder, kind, now, receiver, request};
use zego_record_core::{UnixSeconds, Verdict};
use zego_record_receiver::{
    Binding, BoxFuture, GuardMode, MemoryGuard, MemoryStore, ReplayCheck, ReplayGuard, StoreError,
    StoreErrorKind,
};
use zego_record_testkit::RequestBuilder;

fn check(signature: u32, content: u8, now: i64) -> ReplayCheck {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&signature.to_le_bytes());
    ReplayCheck {
        signature: bytes,
        content: [content; 16],
        now: UnixSeconds::new(now),
        keep_until: UnixSeconds::new(now + 360),
    }
}

#[tokio::test]
async fn a_signature_with_other_content_is_rejected_and_kept_for_a_person() {
    let quarantined = Arc::new(Mutex::new(Vec::new()));
    let receiver = builder()
        .on_quarantine({
            let quarantined = Arc::clone(&quarantined);
            move |it| {
                quarantined
                    .lock()
                    .unwrap()
                    .push((it.rejection.verdict(), it.body.to_vec()));
            }
        })
        .build()
        .unwrap();
    let genuine = request("genuine");
    assert_eq!(kind(receiver.admit(genuine.body()).await), None);
    // In either case of the hexadecimal digits, it is the same signature.
    let forged = genuine.tampered(|builder| builder.field("stream_alias", "forged"));
    let signature = forged.signature().unwrap();
    let upper = String::from_utf8(forged.body().to_vec())
        .unwrap()
        .replace(signature, &signature.to_uppercase());
    for body in [forged.body(), upper.as_bytes()] {
        assert_eq!(
            kind(receiver.admit(body).await),
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
    assert_eq!(kind(receiver.admit(genuine.body()).await), None);
    assert_eq!(
        kind(receiver.admit(forged.body()).await),
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
        assert_eq!(kind(receiver.admit(request.body()).await), None);
    }
}

#[tokio::test]
async fn observe_counts_and_off_does_not_even_look() {
    for (mode, counted) in [(GuardMode::Observe, 1), (GuardMode::Off, 0)] {
        let receiver = builder().guard_mode(mode).build().unwrap();
        let genuine = request("genuine");
        let forged = genuine.tampered(|builder| builder.field("stream_alias", "forged"));
        assert_eq!(kind(receiver.admit(genuine.body()).await), None, "{mode:?}");
        assert_eq!(kind(receiver.admit(forged.body()).await), None, "{mode:?}");
        assert_eq!(receiver.counters().signatures_reused, counted, "{mode:?}");
    }
}

#[derive(Debug)]
struct Unreachable;

impl ReplayGuard for Unreachable {
    fn bind<'a>(&'a self, _: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        Box::pin(async {
            Err(StoreError::new(
                StoreErrorKind::Unavailable,
                "the line is cut",
            ))
        })
    }
}

#[derive(Debug)]
struct Hanging;

impl ReplayGuard for Hanging {
    fn bind<'a>(&'a self, _: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_cannot_be_reached_is_stood_in_for_by_memory() {
    for receiver in [
        builder().guard(Unreachable).build().unwrap(),
        builder().guard(Hanging).build().unwrap(),
    ] {
        let genuine = request("genuine");
        let forged = genuine.tampered(|builder| builder.field("stream_alias", "forged"));
        assert_eq!(kind(receiver.admit(genuine.body()).await), None);
        assert_eq!(
            kind(receiver.admit(forged.body()).await),
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
            kind(receiver.admit(forged.as_bytes()).await),
            Some(Verdict::BadSignature)
        );
        let unsigned = format!("stream_alias={number}");
        assert_eq!(
            kind(receiver.admit(unsigned.as_bytes()).await),
            Some(Verdict::Unsigned)
        );
    }
    assert!(guard.is_empty() && store.is_empty());
    // A signed one leaves its trace where these would have.
    assert_eq!(kind(receiver.admit(genuine.body()).await), None);
    assert!(!guard.is_empty());
}

#[test]
fn entries_go_when_they_expire_and_the_oldest_when_it_is_full() {
    let guard = MemoryGuard::with_capacity(3);
    assert_eq!(guard.bind_now(&check(1, 1, 1_000)), Binding::First);
    assert_eq!(
        guard.bind_now(&check(1, 1, 1_360)),
        Binding::Same,
        "kept until then"
    );
    assert_eq!(guard.bind_now(&check(1, 2, 1_360)), Binding::Conflict);
    assert_eq!(
        guard.bind_now(&check(1, 2, 1_361)),
        Binding::First,
        "and not longer"
    );
    assert_eq!(guard.evictions(), 0);

    for signature in 2..=4 {
        assert_eq!(guard.bind_now(&check(signature, 1, 1_361)), Binding::First);
    }
    assert_eq!((guard.len(), guard.evictions()), (3, 1));
    assert_eq!(guard.bind_now(&check(4, 9, 1_361)), Binding::Conflict);
    assert_eq!(
        guard.bind_now(&check(1, 9, 1_361)),
        Binding::First,
        "the oldest has gone"
    );
}

#[test]
fn a_million_signatures_stay_inside_of_the_bound() {
    let guard = MemoryGuard::with_capacity(10_000);
    for number in 0..1_000_000_u32 {
        // As evenly spread as real signatures are.
        let spread = number.wrapping_mul(2_654_435_761).swap_bytes();
        assert_eq!(guard.bind_now(&check(spread, 1, 1_000)), Binding::First);
    }
    assert!(guard.len() <= 10_000, "{}", guard.len());
    assert_eq!(guard.evictions(), 1_000_000 - guard.len() as u64);
}

/// A cache that chooses what to admit or to keep forgets just these.
#[test]
fn a_full_guard_does_not_let_the_replay_of_a_fresh_signature_in() {
    let guard = MemoryGuard::with_capacity(10_000);
    for number in 0..50_000_u32 {
        let signature = number.wrapping_mul(2_654_435_761).swap_bytes();
        assert_eq!(guard.bind_now(&check(signature, 1, 1_000)), Binding::First);
        let replay = check(signature, 2, 1_000);
        assert_eq!(guard.bind_now(&replay), Binding::Conflict, "{number}");
    }
    assert!(guard.evictions() > 0, "it was never full");
}

#[test]
fn neither_a_guard_nor_a_sighting_prints_a_signature() {
    // Whoever reads one in a log can send any body under it.
    let guard = MemoryGuard::with_capacity(1_000);
    let seen = check(1, 1, 1_000);
    assert_eq!(guard.bind_now(&seen), Binding::First);
    assert_eq!(
        format!("{seen:?}"),
        "ReplayCheck { now: UnixSeconds(1000), .. }"
    );
    assert_eq!(format!("{guard:?}"), "MemoryGuard { capacity: 1000, .. }");
}

#[test]
fn of_many_threads_one_sees_the_first() {
    let guard = MemoryGuard::new();
    for round in 0..500 {
        let firsts = AtomicUsize::new(0);
        thread::scope(|scope| {
            for content in 0..4 {
                let (guard, firsts) = (&guard, &firsts);
                scope.spawn(move || {
                    if guard.bind_now(&check(round, content, 1_000)) == Binding::First {
                        firsts.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(firsts.load(Ordering::SeqCst), 1, "round {round}");
    }
}

#[test]
fn a_clock_that_is_set_back_opens_no_gap() {
    let guard = MemoryGuard::with_capacity(10);
    assert_eq!(guard.bind_now(&check(1, 1, 10_000)), Binding::First);
    // An hour back: what was bound stays bound, and what comes now is bound as well.
    assert_eq!(guard.bind_now(&check(1, 2, 6_400)), Binding::Conflict);
    assert_eq!(guard.bind_now(&check(2, 1, 6_400)), Binding::First);
    assert_eq!(guard.bind_now(&check(2, 2, 6_500)), Binding::Conflict);
}
