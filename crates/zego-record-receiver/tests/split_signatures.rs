//! A signature that also belongs to a timestamp far ahead: what the replay guard promises of it, and what
//! it does not.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::verify;
use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verifier};
use zego_record_receiver::{MemoryGuard, Receiver};
use zego_record_testkit::{ManualClock, RequestBuilder, SignedRequest};

/// Signed by ZEGOCLOUD, with the nonce `999`.
const SENT: i64 = 1_761_761_763;
/// The other split, with the nonce `176`: 2,236 s later, and far beyond what a binding is kept for.
const AHEAD: i64 = 1_761_763_999;
/// Tolerance on either side, by default.
const TOLERANCE: i64 = 300;

fn signed(timestamp: i64, nonce: &str, stream: &str) -> SignedRequest {
    RequestBuilder::new("secret", UnixSeconds::new(timestamp))
        .timestamp(timestamp.to_string())
        .nonce(nonce)
        .field("stream_alias", stream)
        .build()
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs())
}

/// SECURITY.md names this: no memory of bounded size can last until any timestamp is fresh.
#[tokio::test]
async fn a_split_that_is_further_ahead_is_rejected_until_it_is_fresh_and_then_bound_anew() {
    let clock = ManualClock::new(UnixSeconds::new(SENT));
    let guard = Arc::new(MemoryGuard::new().with_clock(clock.clone()));
    let secret = CallbackSecret::new("secret").unwrap();
    let receiver = Receiver::builder(Verifier::builder().secret(secret).build().unwrap())
        .clock(clock.clone())
        .guard(Arc::clone(&guard))
        .build()
        .unwrap();
    let genuine = signed(SENT, "999", "genuine");
    let (ahead, other) = (signed(AHEAD, "176", "ahead"), signed(AHEAD, "176", "other"));
    assert_eq!(genuine.signature(), ahead.signature());
    let judge = async |request: &SignedRequest| verify(&receiver, request.body()).await.err();

    assert_eq!(judge(&genuine).await, None);
    // As long as it is ahead it binds nothing, in place of what was sent or beside it.
    for after in [1, 660, AHEAD - TOLERANCE - 1 - SENT - 661] {
        clock.advance(seconds(after));
        assert_eq!(
            judge(&ahead).await,
            Some(Verdict::Future),
            "{after} s later"
        );
    }
    assert!(guard.len() <= 1);
    assert_eq!(judge(&genuine).await, Some(Verdict::Stale));

    // Fresh at last: whoever is first is accepted, and the only one.
    clock.advance(seconds(1));
    assert_eq!(judge(&ahead).await, None);
    assert_eq!(judge(&other).await, Some(Verdict::SignatureReused));
    clock.advance(seconds(2 * TOLERANCE));
    assert_eq!(judge(&other).await, Some(Verdict::SignatureReused));
    clock.advance(seconds(1));
    assert_eq!(judge(&other).await, Some(Verdict::Stale));
}
