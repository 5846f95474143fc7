//! Who has signed, and when.

use std::time::Duration;

use proptest::prelude::*;
use sha1::{Digest, Sha1};
use zego_record_core::{Signature, Verdict, Verifier, sign};

use crate::support::{SECRET, TIMESTAMP, body_with, config, record, secret, verifier};

/// The longest tolerance that can be configured, in seconds.
const DAY: u64 = 86_400;

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn the_three_texts_are_sorted_as_bytes_and_not_as_numbers(
        secret_text in secret_text(),
        timestamp in timestamp(),
        nonce in nonce(),
    ) {
        let joined = sorted_and_joined(&secret_text, &timestamp, &nonce);
        let expected: [u8; 20] = Sha1::digest(joined).into();
        let signature = sign(&secret(&secret_text), &timestamp, &nonce);
        prop_assert_eq!(*signature.as_bytes(), expected);
    }

    #[test]
    fn what_is_signed_verifies(
        secret_text in secret_text(),
        timestamp in timestamp(),
        nonce in nonce(),
        upper_case in any::<bool>(),
    ) {
        let mut signature = sign(&secret(&secret_text), &timestamp, &nonce).to_string();
        if upper_case {
            signature.make_ascii_uppercase();
        }
        let body = body_with(&timestamp, &nonce, &signature);
        let callback = record(&verifier(&secret_text), &body, timestamp.parse().unwrap());
        let callback = callback.unwrap();
        prop_assert_eq!(callback.timestamp().get().to_string(), timestamp);
        prop_assert_eq!(callback.nonce(), nonce);
        prop_assert_eq!(callback.signature(), Signature::from_hex(&signature));
    }

    #[test]
    fn the_tolerance_is_inclusive_at_any_time(
        timestamp in 1_000_000_000..=9_999_999_999_i64,
        past in 0..=DAY,
        future in 0..=DAY,
        part in 0..1_000_u64,
        clock in clock(),
    ) {
        // A part of a second is no second.
        let tolerance = |seconds: u64| Duration::from_millis(seconds * 1_000 + part * u64::from(seconds < DAY));
        let verifier = Verifier::builder()
            .secret(secret(SECRET))
            .past_tolerance(tolerance(past))
            .future_tolerance(tolerance(future))
            .build()
            .unwrap();
        let now = match clock {
            Clock::Any(now) => now,
            Clock::NearThePast(offset) => timestamp + i64::try_from(past).unwrap() + offset,
            Clock::NearTheFuture(offset) => timestamp - i64::try_from(future).unwrap() + offset,
        };
        let age = i128::from(now) - i128::from(timestamp);
        let expected = if age > i128::from(past) {
            Some((Verdict::Stale, -age))
        } else if -age > i128::from(future) {
            Some((Verdict::Future, -age))
        } else {
            None
        };
        let signature = sign(&secret(SECRET), &timestamp.to_string(), "1").to_string();
        let body = body_with(&timestamp.to_string(), "1", &signature);
        let rejection = record(&verifier, &body, now).err();
        let got = rejection.map(|rejection| (rejection.verdict(), rejection.clock_offset().unwrap()));
        let saturated = |ahead: i128| i64::try_from(ahead).unwrap_or(i64::MAX);
        prop_assert_eq!(got, expected.map(|(verdict, ahead)| (verdict, saturated(ahead))));
    }

    #[test]
    fn only_the_strict_syntax_is_accepted(timestamp in almost_timestamp(), nonce in almost_nonce()) {
        let is_timestamp = timestamp.len() == 10
            && timestamp.bytes().all(|byte| byte.is_ascii_digit())
            && timestamp.as_bytes()[0] != b'0';
        let is_nonce = matches!(nonce.len(), 1..=128)
            && nonce.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-'));
        let has_control = |text: &str| text.contains(char::is_control);
        let expected = if has_control(&timestamp) || has_control(&nonce) {
            Some(Verdict::Malformed)
        } else if timestamp.is_empty() || nonce.is_empty() {
            Some(Verdict::Unsigned)
        } else if !is_timestamp || !is_nonce {
            Some(Verdict::Malformed)
        } else {
            None
        };
        let signature = sign(&secret(SECRET), &timestamp, &nonce).to_string();
        let body = body_with(&timestamp, &nonce, &signature);
        let now = timestamp.parse().unwrap_or(0);
        let rejection = record(&verifier(SECRET), &body, now).err();
        prop_assert_eq!(rejection.map(|rejection| rejection.verdict()), expected);
    }

    #[test]
    fn secrets_of_appids_never_cross(
        owners in prop::collection::vec(prop::option::of(appid()), 1..6),
        signer in any::<prop::sample::Index>(),
        appid in appid(),
    ) {
        let key = |index: usize| secret(&format!("{SECRET}{index}"));
        let mut builder = Verifier::builder();
        for (index, owner) in owners.iter().enumerate() {
            builder = match owner {
                Some(owner) => builder.secret_for(owner, key(index)),
                None => builder.secret(key(index)),
            };
        }
        let signer = signer.index(owners.len());
        let signature = sign(&key(signer), TIMESTAMP, "1").to_string();
        let body = body_with(TIMESTAMP, "1", &signature)
            .replace("appid=1", &format!("appid={appid}"));
        let got = record(&builder.build().unwrap(), &body, TIMESTAMP.parse().unwrap());

        let has_own = owners.contains(&Some(appid.clone()));
        let may_sign = match &owners[signer] {
            Some(owner) => *owner == appid,
            None => !has_own,
        };
        let got = got.map(|callback| callback.secret_index()).map_err(|rejection| rejection.verdict());
        prop_assert_eq!(got, if may_sign { Ok(signer) } else { Err(Verdict::BadSignature) });
    }
}

proptest! {
    // Each case tries every bit.
    #![proptest_config(config(24))]

    #[test]
    fn no_flipped_bit_verifies(secret_text in secret_text(), nonce in "[0-9A-Za-z_-]{1,24}") {
        let signature = sign(&secret(&secret_text), TIMESTAMP, &nonce).to_string();
        let judge = |secret_text: &str, timestamp: &str, nonce: &str, signature: &str| {
            let body = body_with(timestamp, nonce, signature);
            let now = TIMESTAMP.parse().unwrap();
            record(&verifier(secret_text), &body, now).err().map(|rejection| rejection.verdict())
        };
        let rejected = |verdict| matches!(verdict, Some(Verdict::BadSignature | Verdict::Malformed));
        for timestamp in flipped(TIMESTAMP) {
            let verdict = judge(&secret_text, &timestamp, &nonce, &signature);
            prop_assert!(rejected(verdict), "{timestamp:?}: {verdict:?}");
        }
        for other in flipped(&nonce) {
            let verdict = judge(&secret_text, TIMESTAMP, &other, &signature);
            prop_assert!(rejected(verdict), "{other:?}: {verdict:?}");
        }
        for other in flipped(&secret_text) {
            if zego_record_core::CallbackSecret::new(other.as_str()).is_ok() {
                let verdict = judge(&other, TIMESTAMP, &nonce, &signature);
                prop_assert_eq!(verdict, Some(Verdict::BadSignature), "{:?}", other);
            }
        }
        for other in flipped(&signature) {
            // One bit of a letter is its case, which does not matter.
            let same = other.eq_ignore_ascii_case(&signature);
            let verdict = judge(&secret_text, TIMESTAMP, &nonce, &other);
            prop_assert!(if same { verdict.is_none() } else { rejected(verdict) }, "{other:?}: {verdict:?}");
        }
    }
}

#[derive(Clone, Debug)]
enum Clock {
    Any(i64),
    NearThePast(i64),
    NearTheFuture(i64),
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![
        any::<i64>().prop_map(Clock::Any),
        prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, 0, i64::MAX]).prop_map(Clock::Any),
        (-1..=1_i64).prop_map(Clock::NearThePast),
        (-1..=1_i64).prop_map(Clock::NearTheFuture),
    ]
}

/// Secrets that sort before, between and after the other two, and ones that share a beginning with
/// them.
fn secret_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-f]{32}",
        "[!-+\\--~]{1,40}",
        "[0-9]{1,12}",
        "1760001893[0-9]{0,3}",
        "[a-zé日🎥]{1,8}",
    ]
}

fn timestamp() -> impl Strategy<Value = String> {
    prop_oneof![Just(TIMESTAMP.to_owned()), "[1-9][0-9]{9}"]
}

fn nonce() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,20}",
        "[0-9A-Za-z_-]{1,128}",
        "1760001893[0-9]{0,3}"
    ]
}

fn almost_timestamp() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => timestamp(),
        3 => "[0-9]{9,11}",
        1 => "[-+ 0-9.e]{10}",
        1 => "[0-9]{8}\\PC",
        1 => "[0-9]{9}[\\x00-\\x20\\x7f]",
        1 => any::<String>(),
    ]
}

fn almost_nonce() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => nonce(),
        1 => "[0-9a-z]{127,130}",
        1 => "[0-9]{0,4}[ -~][0-9]{0,4}",
        1 => "[0-9]{0,4}\\PC[0-9]{0,4}",
        1 => "[0-9]{0,4}[\\x00\\x80\\n\\x7f][0-9]{0,4}",
        1 => any::<String>(),
    ]
}

fn appid() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["1", "2", "11", "4294967295"]).prop_map(str::to_owned)
}

/// The order found by trying all six, with a comparison byte by byte.
fn sorted_and_joined(a: &str, b: &str, c: &str) -> Vec<u8> {
    let orders = [
        [a, b, c],
        [a, c, b],
        [b, a, c],
        [b, c, a],
        [c, a, b],
        [c, b, a],
    ];
    let is_sorted = |order: &&[&str; 3]| {
        not_after(order[0].as_bytes(), order[1].as_bytes())
            && not_after(order[1].as_bytes(), order[2].as_bytes())
    };
    orders.iter().find(is_sorted).unwrap().concat().into_bytes()
}

fn not_after(a: &[u8], b: &[u8]) -> bool {
    match (a, b) {
        ([], _) => true,
        (_, []) => false,
        ([x, a @ ..], [y, b @ ..]) => x < y || (x == y && not_after(a, b)),
    }
}

/// The text with one bit flipped, for each bit; where that is no text it cannot be sent.
fn flipped(text: &str) -> Vec<String> {
    let flip = |bit: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        String::from_utf8(bytes).ok()
    };
    (0..text.len() * 8).filter_map(flip).collect()
}
