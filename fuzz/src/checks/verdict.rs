//! Any body gets a verdict, and an accepted one keeps everything that acceptance promises.

use std::sync::LazyLock;

use zego_record_core::{
    RecordCallback, Rejection, UnixSeconds, Unverified, Verdict, Verified, sign,
};

use crate::reference::verdict::{is_nonce, is_timestamp};
use crate::world::{
    BOUND_APPID, BOUND_SECRET, NONCE, NOW, SECRET, TIMESTAMP, TOLERANCE, policy, secret, verifier,
    with_signature,
};

/// What must not be revealed: the secrets, and what they sign the usual timestamp and nonce with.
static SECRETS: LazyLock<[String; 4]> = LazyLock::new(|| {
    let right = |text: &str| sign(&secret(text), TIMESTAMP, NONCE).to_string();
    [
        SECRET.to_owned(),
        right(SECRET),
        BOUND_SECRET.to_owned(),
        right(BOUND_SECRET),
    ]
});

/// Takes a body, and judges it as it is and signed, by clocks at the edges of the tolerance and of
/// `i64`.
pub fn check(body: &[u8]) {
    judge_at_the_edges(body);
    judge_at_the_edges(&with_signature(body, SECRET));
}

fn judge_at_the_edges(body: &[u8]) {
    let at_now = judge(body, NOW);
    let before_the_clock = matches!(
        at_now,
        Verdict::Malformed | Verdict::Unsigned | Verdict::BadSignature
    );
    let timestamp = if before_the_clock {
        NOW
    } else {
        timestamp(body)
    };
    let fresh = judge(body, timestamp);
    for (now, expected) in [
        (timestamp + TOLERANCE, fresh),
        (timestamp - TOLERANCE, fresh),
        (timestamp + TOLERANCE + 1, Verdict::Stale),
        (timestamp - TOLERANCE - 1, Verdict::Future),
        (i64::MAX, Verdict::Stale),
        (i64::MIN, Verdict::Future),
    ] {
        let expected = if before_the_clock { at_now } else { expected };
        assert_eq!(judge(body, now), expected, "at {now}");
    }
}

fn timestamp(body: &[u8]) -> i64 {
    let unverified = Unverified::read(body).expect("what is signed is readable");
    let timestamp = unverified.timestamp().expect("what is signed has one");
    timestamp.parse().expect("ten digits are a number")
}

fn judge(body: &[u8], now: i64) -> Verdict {
    match verifier().verify(body, UnixSeconds::new(now)) {
        Ok(Verified::Record(callback)) => {
            keeps_its_promises(&callback, now);
            Verdict::Handled
        }
        Ok(Verified::Other(event)) => {
            assert!(!matches!(event.name(), "" | "record"));
            assert!(event.fields().all(|(name, _)| !is_signed_field(name)));
            Verdict::Ignored
        }
        Err(rejection) => {
            tells_no_secret(&rejection);
            rejection.verdict()
        }
    }
}

fn keeps_its_promises(callback: &RecordCallback, now: i64) {
    let timestamp = callback.timestamp().get();
    assert!(is_timestamp(&timestamp.to_string()), "{timestamp}");
    assert!(timestamp.abs_diff(now) <= TOLERANCE.unsigned_abs());
    assert!(is_nonce(callback.nonce()));

    let is_bound = callback.appid() == BOUND_APPID;
    let secret_text = if is_bound { BOUND_SECRET } else { SECRET };
    assert_eq!(callback.secret_index(), usize::from(is_bound));
    assert_eq!(
        callback.signature(),
        Some(sign(
            &secret(secret_text),
            &timestamp.to_string(),
            callback.nonce()
        ))
    );

    let known = [
        callback.appid(),
        callback.stream_alias(),
        callback.replay_url(),
    ];
    assert!(known.iter().all(|text| !text.is_empty()));
    let texts = known.into_iter().chain(callback.extra_params().text());
    for text in texts {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    assert!(
        callback
            .other_fields()
            .all(|(name, _)| !is_signed_field(name))
    );
    assert!(callback.event_id().starts_with(callback.appid()));
    assert_eq!(callback.delivery_key(), callback.clone().delivery_key());
    serde_json::to_string(callback).expect("a callback serialises");
    if policy().allows(callback.replay_url()) {
        leads_to_an_allowed_host(&callback.replay_url().to_ascii_lowercase());
    }
}

fn leads_to_an_allowed_host(url: &str) {
    assert!(
        url.chars().all(|c| c.is_ascii_graphic() && c != '\\'),
        "{url}"
    );
    let rest = url.strip_prefix("http://").or(url.strip_prefix("https://"));
    let rest = rest.expect("another scheme was allowed");
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default();
    assert!(!authority.contains('@'), "{url}");
    assert!(
        host == "vod.example.com" || host.ends_with(".cdn.example.net"),
        "{url}"
    );
}

fn is_signed_field(name: &str) -> bool {
    matches!(name, "timestamp" | "nonce" | "signature")
}

fn tells_no_secret(rejection: &Rejection) {
    let shown = format!("{rejection} {rejection:?}");
    assert!(
        !SECRETS.iter().any(|secret| shown.contains(secret)),
        "{shown}"
    );
    assert!(!rejection.verdict().is_success());
    assert_eq!(
        rejection.clock_offset().is_some(),
        matches!(rejection.verdict(), Verdict::Stale | Verdict::Future)
    );
}
