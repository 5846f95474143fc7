//! What is bound to its signature, and for how long: everything that is signed and fresh, whatever its
//! content, until no split of the signature is fresh any more.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{SECRET, builder, now, request, verify};
use zego_record_core::{CallbackSecret, ReplayUrlPolicy, UnixSeconds, Verdict, Verifier};
use zego_record_receiver::{
    Binding, BoxFuture, MemoryGuard, Receiver, ReplayCheck, ReplayGuard, StoreError, StoreErrorKind,
};
use zego_record_testkit::{ManualClock, RequestBuilder};

fn forged(builder: RequestBuilder) -> RequestBuilder {
    builder
        .field("event", "record")
        .field("stream_alias", "forged")
        .field("replay_url", "https://vod.example.com/forged.mp4")
        .field("begin_time", "1760000000")
}

#[tokio::test]
async fn a_signature_captured_from_what_is_no_recording_cannot_sign_one() {
    let verifier = || {
        Verifier::builder()
            .secret(CallbackSecret::new(SECRET).unwrap())
            .replay_urls(ReplayUrlPolicy::hosts(["vod.example.com"]).unwrap())
            .build()
            .unwrap()
    };
    let ignoring = Receiver::builder(verifier()).build().unwrap();
    let rejecting = Receiver::builder(verifier()).reject_other_events();
    let rejecting = rejecting.build().unwrap();
    let base = || {
        let base = RequestBuilder::new(SECRET, now());
        base.field("replay_url", "https://vod.example.com/a.mp4")
    };
    let rows = [
        (
            "another event",
            &ignoring,
            base().field("event", "stream_close"),
            Verdict::Ignored,
        ),
        (
            "another event, rejected",
            &rejecting,
            base().field("event", "stream_close"),
            Verdict::UnexpectedEvent,
        ),
        (
            "no event",
            &ignoring,
            base().without("event"),
            Verdict::Invalid,
        ),
        (
            "invalid",
            &ignoring,
            base().field("begin_time", "soon"),
            Verdict::Invalid,
        ),
        (
            "a playback URL that is not allowed",
            &ignoring,
            base().field("replay_url", "https://elsewhere.example.com/a.mp4"),
            Verdict::ReplayUrlRefused,
        ),
    ];
    for (name, receiver, captured, verdict) in rows {
        let captured = captured.build();
        // Twice: the same content may come again.
        for _ in 0..2 {
            let result = verify(receiver, captured.body()).await;
            assert_eq!(result.err(), Some(verdict), "{name}");
        }
        let forged = captured.tampered(forged);
        assert_eq!(forged.signature(), captured.signature());
        let result = verify(receiver, forged.body()).await;
        assert_eq!(result.err(), Some(Verdict::SignatureReused), "{name}");
    }
}

/// A stale request binds nothing: whoever has it could fill the guard for ever.
#[tokio::test]
async fn a_stale_or_unsigned_request_binds_nothing() {
    let guard = Arc::new(MemoryGuard::new());
    let receiver = builder().guard(Arc::clone(&guard)).build().unwrap();
    for age in [301, 400, -400] {
        let stale = RequestBuilder::new(SECRET, now()).age(age * 2).build();
        assert!(verify(&receiver, stale.body()).await.is_err());
    }
    assert!(guard.is_empty());
}

/// One signature, two timestamps: the digits after the common ones belong to the nonce of either.
#[tokio::test]
async fn other_content_is_rejected_for_as_long_as_another_split_of_its_signature_is_fresh() {
    let (earlier, later) = (1_761_761_761_i64, 1_761_761_999_i64);
    let signed = |timestamp: i64, nonce: &str, stream: &str| {
        RequestBuilder::new("secret", UnixSeconds::new(timestamp))
            .timestamp(timestamp.to_string())
            .nonce(nonce)
            .field("stream_alias", stream)
            .build()
    };
    let genuine = signed(earlier, "999", "genuine");
    let forged = signed(later, "176", "forged");
    assert_eq!(genuine.signature(), forged.signature());

    // The last moment at which the second timestamp is fresh comes 538 s after the first one.
    for after in [362, 538] {
        let clock = ManualClock::new(UnixSeconds::new(earlier));
        let secret = CallbackSecret::new("secret").unwrap();
        let verifier = Verifier::builder().secret(secret).build().unwrap();
        let receiver = Receiver::builder(verifier).clock(clock.clone());
        let receiver = receiver.build().unwrap();
        assert!(verify(&receiver, genuine.body()).await.is_ok());
        clock.advance(Duration::from_secs(after));
        let result = verify(&receiver, forged.body()).await;
        assert_eq!(result.err(), Some(Verdict::SignatureReused), "+{after} s");
        clock.advance(Duration::from_secs(539 - after));
        let result = verify(&receiver, forged.body()).await;
        assert_eq!(result.err(), Some(Verdict::Stale), "+539 s");
    }
}

#[tokio::test]
async fn a_binding_is_kept_for_both_tolerances_and_a_minute() {
    #[derive(Debug, Default)]
    struct Recording(Mutex<Vec<Duration>>);
    impl ReplayGuard for Recording {
        fn bind<'a>(
            &'a self,
            check: &'a ReplayCheck,
        ) -> BoxFuture<'a, Result<Binding, StoreError>> {
            self.0.lock().unwrap().push(check.keep_for);
            Box::pin(async { Ok(Binding::First) })
        }

        fn purge(&self, _: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
            Box::pin(async { Ok(0) })
        }

        fn evictions(&self) -> u64 {
            0
        }
    }
    let guard = Arc::new(Recording::default());
    for (past, future) in [(300, 300), (100, 20)] {
        let verifier = Verifier::builder()
            .secret(CallbackSecret::new(SECRET).unwrap())
            .past_tolerance(Duration::from_secs(past))
            .future_tolerance(Duration::from_secs(future))
            .build()
            .unwrap();
        let receiver = Receiver::builder(verifier).guard(Arc::clone(&guard));
        let receiver = receiver.build().unwrap();
        let body = common::request("a");
        assert!(verify(&receiver, body.body()).await.is_ok());
    }
    let expected = [660, 180].map(Duration::from_secs);
    assert_eq!(*guard.0.lock().unwrap(), expected);
}

#[test]
fn a_full_guard_removes_what_has_expired_before_what_is_live() {
    let clock = ManualClock::new(UnixSeconds::new(0));
    let guard = MemoryGuard::with_capacity(2).with_clock(clock.clone());
    let check = |signature: u8, content: u8, keep_for: u64| {
        ReplayCheck::new(
            [signature; 20],
            [content; 16],
            Duration::from_secs(keep_for),
        )
    };
    // Receivers with different tolerances share the guard: what came second expires first.
    assert_eq!(guard.bind_now(&check(1, 1, 660)), Binding::First);
    assert_eq!(guard.bind_now(&check(2, 1, 60)), Binding::First);
    clock.advance(Duration::from_secs(100));
    assert_eq!(guard.bind_now(&check(3, 1, 660)), Binding::First);
    assert_eq!(guard.bind_now(&check(1, 2, 660)), Binding::Conflict);
    assert_eq!((guard.len(), guard.evictions()), (2, 0));

    // Full of live ones: the first to expire goes, and is counted.
    assert_eq!(guard.bind_now(&check(4, 1, 660)), Binding::First);
    assert_eq!(guard.bind_now(&check(3, 2, 660)), Binding::Conflict);
    assert_eq!((guard.len(), guard.evictions()), (2, 1));
}

#[tokio::test]
async fn a_shared_guard_that_fails_and_recovers_lets_no_forgery_be_first() {
    #[derive(Debug, Default)]
    struct Unsteady {
        guard: MemoryGuard,
        is_down: AtomicBool,
    }
    impl ReplayGuard for Unsteady {
        fn bind<'a>(
            &'a self,
            check: &'a ReplayCheck,
        ) -> BoxFuture<'a, Result<Binding, StoreError>> {
            if self.is_down.load(Ordering::Relaxed) {
                let down = StoreError::new(StoreErrorKind::Unavailable, "down");
                return Box::pin(async { Err(down) });
            }
            self.guard.bind(check)
        }

        fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
            self.guard.purge(limit)
        }

        fn evictions(&self) -> u64 {
            0
        }
    }
    for (down_first, down_then) in [(true, false), (false, true)] {
        let guard = Arc::new(Unsteady::default());
        let receiver = builder().guard(Arc::clone(&guard)).build().unwrap();
        let genuine = request("genuine");
        guard.is_down.store(down_first, Ordering::Relaxed);
        let verified = receiver.pipeline().verify(genuine.body()).await;
        assert!(verified.is_ok());

        guard.is_down.store(down_then, Ordering::Relaxed);
        let forged = String::from_utf8(genuine.body().to_vec()).unwrap();
        let forged = forged.replace("genuine", "forged");
        let rejection = receiver.pipeline().verify(forged.as_bytes()).await;
        assert_eq!(
            rejection.unwrap_err().verdict(),
            Verdict::SignatureReused,
            "down at first: {down_first}"
        );
    }
}
