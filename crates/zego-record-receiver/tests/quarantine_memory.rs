//! The quarantine knows a bounded number of signatures, and forgets the one that came first.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{SECRET, builder, now, verify};
use zego_record_core::Verdict;
use zego_record_testkit::{ManualClock, RequestBuilder, SignedRequest};

const MAX_SIGNATURES: usize = 4_096;

fn stale(number: usize) -> SignedRequest {
    RequestBuilder::new(SECRET, now())
        .age(400)
        .nonce(number.to_string())
        .build()
}

#[tokio::test]
async fn a_body_comes_again_when_as_many_signatures_as_are_remembered_came_after_it() {
    let clock = ManualClock::new(now());
    let taken = Arc::new(Mutex::new(0));
    let receiver = builder()
        .clock(clock.clone())
        .on_quarantine({
            let taken = Arc::clone(&taken);
            move |_| *taken.lock().unwrap() += 1
        })
        .build()
        .unwrap();
    let reject = async |request: &SignedRequest| {
        // No more in a second than are handed over.
        clock.advance(Duration::from_millis(100));
        let rejected = verify(&receiver, request.body()).await;
        assert_eq!(rejected.err(), Some(Verdict::Stale));
        *taken.lock().unwrap()
    };
    let (first, second) = (stale(0), stale(1));
    assert_eq!(reject(&first).await, 1);
    assert_eq!(reject(&second).await, 2);
    for number in 2..MAX_SIGNATURES {
        assert_eq!(reject(&stale(number)).await, number + 1);
    }
    // All of them are remembered.
    for known in [&first, &second] {
        assert_eq!(reject(known).await, MAX_SIGNATURES);
    }
    assert_eq!(reject(&stale(MAX_SIGNATURES)).await, MAX_SIGNATURES + 1);
    assert_eq!(reject(&second).await, MAX_SIGNATURES + 1);
    assert_eq!(reject(&first).await, MAX_SIGNATURES + 2);
    assert_eq!(receiver.counters().quarantine_suppressed, 3);
}
