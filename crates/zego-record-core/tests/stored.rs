//! What a store keeps restores to the callback that it was.

#![allow(clippy::unwrap_used)]

use zego_record_core::{
    CallbackSecret, DeliveryKey, RecordCallback, RestoreErrorKind, UnixSeconds, Verified, Verifier,
    sign,
};

/// The callback below in version 1. **These bytes never change:** databases hold them.
const VERSION_1: &str = "01\
    0a31323334353637383930\
    086c6573736f6e2d37\
    1d68747470733a2f2f766f642e6578616d706c652e636f6d2f372e6d7034\
    0000000068e77800\
    ffffffffffffffff\
    0000000068e77f65\
    06343536373839\
    01\
    01127b2246696c654944223a223939393939227d\
    0172045b5d6e5d\
    00070078c3a9e697a5";

fn secret(text: &str) -> CallbackSecret {
    CallbackSecret::new(text).unwrap()
}

fn callback() -> RecordCallback {
    let verifier = Verifier::builder()
        .secret(secret("new"))
        .secret(secret("old"))
        .build()
        .unwrap();
    let signature = sign(&secret("old"), "1760001893", "456789");
    let body = format!(
        r#"{{"event":"record","appid":1234567890,"stream_alias":"lesson-7","replay_url":"https://vod.example.com/7.mp4",
        "begin_time":"1760000000","end_time":-1,"timestamp":"1760001893","nonce":"456789","signature":"{signature}",
        "extra_params":"{{\"FileID\":\"99999\"}}","r":"[]n]","":"\u0000xé日"}}"#
    );
    match verifier.verify(body.as_bytes(), UnixSeconds::new(1_760_001_900)) {
        Ok(Verified::Record(callback)) => callback,
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn kind(bytes: &[u8], key: DeliveryKey) -> Option<RestoreErrorKind> {
    let restored = RecordCallback::restore_trusted(bytes, key);
    restored.err().map(|error| error.kind())
}

#[test]
fn the_bytes_of_version_1_never_change() {
    let callback = callback();
    assert_eq!(hex(&callback.to_stored()), VERSION_1);
    let digits = VERSION_1.as_bytes().chunks(2);
    let bytes: Vec<u8> = digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let key = "ae6ba1edd865d4cc9cb9b4a6806043dbc01b734ebc34a05a4a9340e2fd4821bb";
    assert_eq!(callback.delivery_key().to_string(), key);
    let restored = RecordCallback::restore_trusted(&bytes, callback.delivery_key()).unwrap();
    assert_eq!(restored.delivery_key().to_string(), key);
}

#[test]
fn everything_is_restored_but_the_signature() {
    let callback = callback();
    let restored =
        RecordCallback::restore_trusted(&callback.to_stored(), callback.delivery_key()).unwrap();
    assert_eq!(
        serde_json::to_value(&restored).unwrap(),
        serde_json::to_value(&callback).unwrap()
    );
    assert_eq!(restored.secret_index(), 1);
    assert_eq!(restored.to_stored(), callback.to_stored());
    let others: Vec<_> = restored.other_fields().collect();
    assert_eq!(others, [("r", "[]n]"), ("", "\0xé日")]);
    assert!(callback.signature().is_some());
    assert_eq!(restored.signature(), None);
    let signature = callback.signature().unwrap();
    let stored = callback.to_stored();
    assert!(
        !stored
            .windows(20)
            .any(|bytes| bytes == signature.as_bytes())
    );
    assert!(!hex(&stored).contains(&signature.to_string()));
}

#[test]
fn bytes_that_are_cut_off_or_longer_are_not_restored() {
    let callback = callback();
    let (stored, key) = (callback.to_stored(), callback.delivery_key());
    assert_eq!(kind(b"", key), Some(RestoreErrorKind::UnknownVersion));
    for length in 1..stored.len() {
        // Where a field ends, the fields after it are missing, and the key tells.
        assert!(kind(&stored[..length], key).is_some(), "{length}");
    }
    let longer = [stored.as_slice(), &[0]].concat();
    assert_eq!(kind(&longer, key), Some(RestoreErrorKind::Malformed));
    let longer = [stored.as_slice(), &[0, 0]].concat();
    assert_eq!(kind(&longer, key), Some(RestoreErrorKind::KeyMismatch));
    for version in (0..=u8::MAX).filter(|version| *version != 1) {
        let mut other = stored.clone();
        other[0] = version;
        assert_eq!(kind(&other, key), Some(RestoreErrorKind::UnknownVersion));
    }
}

#[test]
fn another_key_is_not_the_callbacks() {
    let callback = callback();
    let mut key = *callback.delivery_key().as_bytes();
    key[31] ^= 1;
    let error =
        RecordCallback::restore_trusted(&callback.to_stored(), DeliveryKey::from_bytes(key))
            .unwrap_err();
    assert_eq!(error.kind(), RestoreErrorKind::KeyMismatch);
    assert!(
        error.to_string().contains("another delivery key"),
        "{error}"
    );
}

#[test]
fn no_changed_byte_makes_another_callback() {
    let callback = callback();
    let (stored, key) = (callback.to_stored(), callback.delivery_key());
    let content = |callback: &RecordCallback| {
        let mut content = serde_json::to_value(callback).unwrap();
        // No part of what the key covers.
        content["timestamp"].take();
        content["nonce"].take();
        content
    };
    let mut restored = 0;
    for at in 0..stored.len() {
        for bit in 0..8 {
            let mut changed = stored.clone();
            changed[at] ^= 1 << bit;
            if let Ok(other) = RecordCallback::restore_trusted(&changed, key) {
                assert_eq!(content(&other), content(&callback), "byte {at}, bit {bit}");
                assert!(
                    other.timestamp().get() >= 1_000_000_000,
                    "byte {at}, bit {bit}"
                );
                restored += 1;
            }
        }
    }
    assert!(restored > 0, "a nonce is not covered");
}

#[test]
fn what_no_verifier_accepts_is_not_restored() {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let stored = |appid: &str, url: &str, timestamp: i64, nonce: &str, extra: &[u8]| {
        [
            vec![1],
            text(appid),
            text("a"),
            text(url),
            1_i64.to_be_bytes().to_vec(),
            2_i64.to_be_bytes().to_vec(),
            timestamp.to_be_bytes().to_vec(),
            text(nonce),
            vec![0],
            extra.to_vec(),
        ]
        .concat()
    };
    let key = DeliveryKey::from_bytes([0; 32]);
    let now = 1_760_001_893;
    assert_eq!(
        kind(&stored("1", "u", now, "1", &[0]), key),
        Some(RestoreErrorKind::KeyMismatch)
    );
    for (name, bytes) in [
        ("no appid", stored("", "u", now, "1", &[0])),
        ("a control character", stored("1", "u\n", now, "1", &[0])),
        (
            "a timestamp of nine digits",
            stored("1", "u", 176_000_189, "1", &[0]),
        ),
        ("a negative timestamp", stored("1", "u", -now, "1", &[0])),
        ("no nonce", stored("1", "u", now, "", &[0])),
        ("a nonce with a space", stored("1", "u", now, "1 2", &[0])),
        ("neither absent nor there", stored("1", "u", now, "1", &[2])),
        (
            "extra_params with a NUL",
            stored("1", "u", now, "1", &[1, 1, 0]),
        ),
        ("half a pair", stored("1", "u", now, "1", &[0, 0])),
        (
            "a length beyond the end",
            stored("1", "u", now, "1", &[0, 0xff, 0x7f]),
        ),
        ("no UTF-8", stored("1", "u", now, "1", &[0, 1, 0xff, 0])),
    ] {
        assert_eq!(
            kind(&bytes, key),
            Some(RestoreErrorKind::Malformed),
            "{name}"
        );
    }
}
