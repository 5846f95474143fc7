//! What a callback serialises to can be sent again, in each form, and is the same callback; what is stored
//! of it restores to it.

use serde_json::Value;
use zego_record_core::{DeliveryKey, RecordCallback};

use crate::world::{SECRET, accepted, signed_fields, with_signature};
use crate::write::{self, Spelling};

/// Takes a body; if it is accepted, with or without a signature written in, it is printed and read
/// again.
pub fn check(body: &[u8]) {
    // No input has the right key by chance, but every one is read to its end.
    let restored = RecordCallback::restore_trusted(body, DeliveryKey::from_bytes([0; 32]));
    assert!(restored.is_err());
    for body in [body, &with_signature(body, SECRET)] {
        if let Some(callback) = accepted(body) {
            prints_to_itself(&callback);
            restores_to_itself(&callback);
        }
    }
}

fn restores_to_itself(callback: &RecordCallback) {
    let stored = callback.to_stored();
    let key = callback.delivery_key();
    let restored = RecordCallback::restore_trusted(&stored, key).expect("it was stored");
    assert_eq!(
        serde_json::to_value(&restored).expect("a callback serialises"),
        serde_json::to_value(callback).expect("a callback serialises")
    );
    assert_eq!(restored.to_stored(), stored);
}

fn prints_to_itself(callback: &RecordCallback) {
    let printed = serde_json::to_value(callback).expect("a callback serialises");
    for body in bodies(&printed) {
        let again = accepted(body.as_bytes()).unwrap_or_else(|| panic!("rejected: {body}"));
        assert_eq!(again.delivery_key(), callback.delivery_key(), "{body}");
        let mut printed_again = serde_json::to_value(&again).expect("a callback serialises");
        for signed in ["timestamp", "nonce"] {
            printed_again[signed] = printed[signed].clone();
        }
        assert_eq!(printed_again, printed, "{body}");
    }
}

/// The callback as three bodies, signed anew as for a retry.
fn bodies(printed: &Value) -> [String; 3] {
    let mut fields = signed_fields(SECRET).to_vec();
    fields.push(("event".to_owned(), "record".to_owned()));
    let names = [
        "appid",
        "stream_alias",
        "replay_url",
        "begin_time",
        "end_time",
        "extra_params",
    ];
    for name in names {
        let text = match &printed[name] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        fields.push((name.to_owned(), text));
    }
    let others = printed["other_fields"].as_array().into_iter().flatten();
    for other in others {
        let text = |at: usize| other[at].as_str().expect("a pair of texts").to_owned();
        fields.push((text(0), text(1)));
    }
    let members: Vec<_> = fields
        .iter()
        .map(|(name, text)| (name.clone(), write::quote(text, Spelling::Plain)))
        .collect();
    let json = write::object(&members, Spelling::Plain);
    [
        write::form(&fields, Spelling::Plain),
        write::percent_encode(&json),
        json,
    ]
}
