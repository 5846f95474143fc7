//! What counts as the same offset when our own clock is suspected.

#![allow(clippy::unwrap_used)]

mod common;

use common::{SECRET, builder, now, verify};
use zego_record_core::Verdict;
use zego_record_testkit::{ManualClock, RequestBuilder};

/// What is suspected after signed requests of these ages, in seconds.
async fn suspected(ages: &[i64]) -> Option<i64> {
    let now = now();
    let receiver = builder().clock(ManualClock::new(now)).build().unwrap();
    for (number, age) in ages.iter().enumerate() {
        let stale = RequestBuilder::new(SECRET, now)
            .age(*age)
            .field("stream_alias", format!("lesson-{number}"))
            .build();
        let rejected = verify(&receiver, stale.body()).await.err();
        assert!(matches!(rejected, Some(Verdict::Stale | Verdict::Future)));
    }
    receiver.counters().suspected_clock_skew
}

#[tokio::test]
async fn offsets_within_five_seconds_of_the_first_are_the_same() {
    for (ages, expected) in [
        (&[400, 400, 400][..], Some(-400)),
        (&[400, 405, 395], Some(-400)),
        (&[-400, -400, -400], Some(400)),
        (&[400, 400], None),
        (&[400, 400, 406], None),
        (&[400, 400, 394], None),
        (&[400, -400, 400], None),
        // The streak begins anew with the one that differs.
        (&[400, 400, 406, 411], None),
        (&[400, 400, 406, 411, 401], Some(-406)),
        // What is suspected is reported once, and goes on to be so.
        (&[400, 400, 400, 403, 397], Some(-400)),
    ] {
        assert_eq!(suspected(ages).await, expected, "{ages:?}");
    }
}
