//! Whatever is in a database, reading it does not panic; what is restored is what was stored, and nothing
//! else is.

use zego_record_core::{DeliveryKey, RecordCallback, RestoreErrorKind};

use crate::reference::stored::Stored;
use crate::world::hash;

/// Takes the bytes of a stored callback.
pub fn check(bytes: &[u8]) {
    // No content has this key.
    let error = restore(bytes, DeliveryKey::from_bytes([0; 32])).expect_err("it has another key");
    let Some(stored) = Stored::read(bytes) else {
        let expected = match bytes.first() {
            Some(1) => RestoreErrorKind::Malformed,
            _ => RestoreErrorKind::UnknownVersion,
        };
        return assert_eq!(error, expected);
    };
    assert_eq!(error, RestoreErrorKind::KeyMismatch);
    let key = key(&stored.delivery_key());
    let callback = restore(bytes, key).expect("its content has this key");
    assert_eq!(callback.delivery_key(), key);
    assert_eq!(callback.to_stored(), bytes);
    is_what_was_stored(&callback, &stored);
    damage_is_found(bytes, &stored, key);
}

fn restore(bytes: &[u8], key: DeliveryKey) -> Result<RecordCallback, RestoreErrorKind> {
    RecordCallback::restore_trusted(bytes, key).map_err(|error| error.kind())
}

fn key(digits: &str) -> DeliveryKey {
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16);
    DeliveryKey::from_bytes(std::array::from_fn(|at| byte(at).expect("two digits")))
}

fn is_what_was_stored(callback: &RecordCallback, stored: &Stored) {
    let texts = [
        callback.appid(),
        callback.stream_alias(),
        callback.replay_url(),
    ];
    assert_eq!(texts, stored.texts);
    let times = [
        callback.begin_time(),
        callback.end_time(),
        callback.timestamp(),
    ];
    assert_eq!(times.map(|time| time.get()), stored.times);
    assert_eq!(callback.nonce(), stored.nonce);
    assert_eq!(
        u64::try_from(callback.secret_index()),
        Ok(stored.secret_index)
    );
    assert_eq!(
        callback.extra_params().text(),
        stored.extra_params.as_deref()
    );
    let others = stored.others.iter();
    assert!(
        callback
            .other_fields()
            .eq(others.map(|(name, text)| (name.as_str(), text.as_str())))
    );
    assert_eq!(callback.signature(), None);
}

/// Cut off anywhere, it is not restored; with one bit flipped, it is only if the key is still the same: it
/// does not protect timestamp and nonce, nor the spelling of JSON, and takes an empty text for an absent one.
fn damage_is_found(bytes: &[u8], before: &Stored, key: DeliveryKey) {
    let place = hash(bytes) % bytes.len();
    assert!(restore(&bytes[..place], key).is_err());
    let mut flipped = bytes.to_vec();
    flipped[place] ^= 1 << (hash(bytes) / bytes.len() % 8);
    if let Ok(callback) = restore(&flipped, key) {
        assert_eq!(callback.to_stored(), flipped);
        let after = Stored::read(&flipped).expect("it was restored");
        assert_eq!(self::key(&after.delivery_key()), key);
        assert_eq!(after.texts, before.texts);
        assert_eq!(after.times[..2], before.times[..2]);
    }
}
