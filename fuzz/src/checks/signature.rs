//! What is signed verifies, and nothing that differs by one bit does.

use zego_record_core::{CallbackSecret, Signature, UnixSeconds, Verdict, Verified, Verifier, sign};

use crate::reference::verdict::{self, is_nonce, is_timestamp};
use crate::world::{TIMESTAMP, hash};
use crate::write::{self, Spelling};

/// Takes three lines: a secret, a nonce and, unless it is to be a legal one, a timestamp. Which bits
/// are flipped follows from the whole input.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut lines = text.splitn(3, '\n');
    let (secret_text, nonce) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let timestamp = lines.next().unwrap_or(TIMESTAMP);
    let Ok(secret) = CallbackSecret::new(secret_text) else {
        assert!(
            secret_text.is_empty()
                || secret_text.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control())
        );
        return;
    };

    let signature = sign(&secret, timestamp, nonce);
    assert_eq!(
        signature.to_string(),
        verdict::sign(secret_text, timestamp, nonce)
    );
    assert_eq!(
        Signature::from_hex(&signature.to_string().to_uppercase()),
        Some(signature)
    );

    let hex = signature.to_string();
    let expected = expected(timestamp, nonce);
    assert_eq!(judge(&secret, timestamp, nonce, &hex), expected);
    if expected == Verdict::Handled {
        no_flipped_bit_verifies(secret_text, timestamp, nonce, &hex, hash(input));
    }
}

fn no_flipped_bit_verifies(secret_text: &str, timestamp: &str, nonce: &str, hex: &str, bit: usize) {
    let secret = |text: &str| CallbackSecret::new(text).ok();
    if let Some(other) = flip(secret_text, bit).as_deref().and_then(secret) {
        assert_eq!(judge(&other, timestamp, nonce, hex), Verdict::BadSignature);
    }
    let secret = secret(secret_text).expect("it was a legal one before");
    for (timestamp, nonce) in [
        (flip(timestamp, bit), Some(nonce.to_owned())),
        (Some(timestamp.to_owned()), flip(nonce, bit)),
    ] {
        let (Some(timestamp), Some(nonce)) = (timestamp, nonce) else {
            continue;
        };
        let rejected = judge(&secret, &timestamp, &nonce, hex);
        let is_strict = is_timestamp(&timestamp) && is_nonce(&nonce);
        let expected = if is_strict {
            Verdict::BadSignature
        } else {
            Verdict::Malformed
        };
        assert_eq!(rejected, expected, "{timestamp:?} {nonce:?}");
    }
    if let Some(other) = flip(hex, bit) {
        // One bit of a letter is its case, which does not matter.
        let same = other.eq_ignore_ascii_case(hex);
        let verdict = judge(&secret, timestamp, nonce, &other);
        let control = other.contains(char::is_control);
        let expected = match (same, control) {
            (true, _) => Verdict::Handled,
            (_, true) => Verdict::Malformed,
            _ => Verdict::BadSignature,
        };
        assert_eq!(verdict, expected, "{other:?}");
    }
}

fn expected(timestamp: &str, nonce: &str) -> Verdict {
    if [timestamp, nonce]
        .iter()
        .any(|text| text.contains(char::is_control))
    {
        Verdict::Malformed
    } else if timestamp.is_empty() || nonce.is_empty() {
        Verdict::Unsigned
    } else if !is_timestamp(timestamp) || !is_nonce(nonce) {
        Verdict::Malformed
    } else {
        Verdict::Handled
    }
}

/// The verdict at the time of the timestamp, so that it is always fresh.
fn judge(secret: &CallbackSecret, timestamp: &str, nonce: &str, signature: &str) -> Verdict {
    let verifier = Verifier::builder().secret(secret.clone()).build();
    let verifier = verifier.expect("one secret is enough");
    let now = UnixSeconds::new(timestamp.parse().unwrap_or(0));
    let pairs = [
        ("timestamp", timestamp),
        ("nonce", nonce),
        ("signature", signature),
        ("event", "record"),
        ("appid", "1"),
        ("stream_alias", "a"),
        ("replay_url", "u"),
        ("begin_time", "1"),
        ("end_time", "2"),
    ];
    let pairs = pairs.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let body = write::form(&pairs, Spelling::Plain);
    match verifier.verify(body.as_bytes(), now) {
        Ok(Verified::Record(_)) => Verdict::Handled,
        Ok(Verified::Other(_)) => Verdict::Ignored,
        Err(rejection) => rejection.verdict(),
    }
}

/// The string with one of its bits flipped, unless that is not UTF-8.
fn flip(text: &str, bit: usize) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let bit = bit % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    String::from_utf8(bytes).ok()
}
