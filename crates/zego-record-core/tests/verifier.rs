//! How a verifier is set up, and what it takes for a recording.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use zego_record_core::{
    CallbackSecret, ConfigErrorKind, UnixSeconds, Verified, Verifier, VerifierBuilder, sign,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn builder() -> VerifierBuilder {
    Verifier::builder().secret(secret())
}

fn secret() -> CallbackSecret {
    CallbackSecret::new("secret").unwrap()
}

#[test]
fn rejects_an_impossible_configuration() {
    use ConfigErrorKind::{Limit, Secret};
    let over_a_day = DAY + Duration::from_nanos(1);
    for (name, builder, kind, says) in [
        ("no secret", Verifier::builder(), Secret, "CallbackSecret"),
        (
            "a secret for nobody",
            Verifier::builder().secret_for("", secret()),
            Secret,
            "AppID",
        ),
        (
            "the past without end",
            builder().past_tolerance(over_a_day),
            Limit,
            "24 hours",
        ),
        (
            "the future without end",
            builder().future_tolerance(Duration::MAX),
            Limit,
            "24 hours",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), kind, "{name}");
        assert!(error.to_string().contains(says), "{name}: {error}");
    }
}

#[test]
fn a_secret_is_bound_to_a_plain_decimal_appid_alone() {
    for appid in [
        "", "01", "+1", "1.0", "1e0", " 1", "1 ", "-1", "00", "one", "\u{661}",
    ] {
        let error = builder().secret_for(appid, secret()).build().unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Secret, "{appid:?}");
        assert!(
            error.to_string().contains("plain decimal"),
            "{appid:?}: {error}"
        );
    }
    for appid in ["0", "1", "10", "4294967295"] {
        assert!(
            builder().secret_for(appid, secret()).build().is_ok(),
            "{appid}"
        );
    }
}

#[test]
fn a_tolerance_is_300_seconds_unless_set_and_a_day_at_most() {
    let tolerances = |builder: VerifierBuilder| {
        let verifier = builder.build().unwrap();
        (verifier.past_tolerance(), verifier.future_tolerance())
    };
    let default = Duration::from_secs(300);
    assert_eq!(tolerances(builder()), (default, default));
    assert_eq!(tolerances(builder().past_tolerance(DAY)), (DAY, default));
    assert_eq!(tolerances(builder().future_tolerance(DAY)), (default, DAY));
}

#[test]
fn another_event_is_no_recording_even_with_every_field_of_one() {
    let verifier = builder().build().unwrap();
    let signature = sign(&secret(), "1760001893", "456789");
    for event in ["compose", "records", "Record"] {
        let body = format!(
            "event={event}&appid=1&stream_alias=a&replay_url=u&begin_time=1&end_time=2\
             &timestamp=1760001893&nonce=456789&signature={signature}"
        );
        match verifier.verify(body.as_bytes(), UnixSeconds::new(1_760_001_900)) {
            Ok(Verified::Other(other)) => assert_eq!(other.name(), event),
            unexpected => panic!("{event}: {unexpected:?}"),
        }
    }
}
