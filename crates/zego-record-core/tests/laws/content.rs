//! What a callback says, whatever form it comes in.

use proptest::prelude::*;
use zego_record_core::{RecordCallback, Verdict};

use crate::support::{
    Fields, Value, bodies, config, content, form, json, key_of_body, known_text, number, quote,
    read, rejected, unknown,
};

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn json_form_and_encoded_json_are_one_delivery(content in content()) {
        let [first, others @ ..] = bodies(&content).map(|body| read(&body));
        for other in others {
            prop_assert_eq!(other.delivery_key(), first.delivery_key());
            prop_assert_eq!(other.event_id(), first.event_id());
            prop_assert_eq!(printed(&other), printed(&first));
        }
    }

    #[test]
    fn a_body_and_its_callback_have_one_key(content in content()) {
        for body in bodies(&content) {
            // The callback's is computed from what it has kept, the other from where it stands.
            prop_assert_eq!(key_of_body(&body), read(&body).delivery_key(), "{}", body);
        }
    }

    #[test]
    fn strings_numbers_objects_and_null_make_no_difference(content in content()) {
        let strings: Fields = content
            .iter()
            .map(|(name, value)| (name.clone(), Value::Text(value.text().to_owned())))
            .collect();
        let mut with_null = content.clone();
        with_null.push(("nothing".to_owned(), Value::Json("null".to_owned())));
        let expected = read(&json(&content));
        for body in [json(&strings), form(&strings), json(&with_null)] {
            prop_assert_eq!(read(&body).delivery_key(), expected.delivery_key());
            prop_assert_eq!(printed(&read(&body)), printed(&expected));
        }
    }

    #[test]
    fn the_order_of_names_makes_no_difference(content in content()) {
        let mut sorted = content.clone();
        // Stable, since the order among fields of the same name means something.
        sorted.sort_by(|(a, _), (b, _)| b.cmp(a));
        for body in bodies(&sorted) {
            prop_assert_eq!(read(&body).delivery_key(), read(&json(&content)).delivery_key());
        }
    }

    #[test]
    fn what_looks_encoded_is_decoded_once_and_nothing_else_is(rest in "[ -~é]{0,20}") {
        let url = format!("https://{rest}");
        let encoded: String = url.bytes().map(|byte| match byte {
            b'a'..=b'z' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        }).collect();
        let replaced = |text: &str| {
            let mut fields = with(vec![("new".to_owned(), Value::Text(text.to_owned()))]);
            for name in ["stream_alias", "replay_url"] {
                fields.retain(|(other, _)| other != name);
                fields.push((name.to_owned(), Value::Text(text.to_owned())));
            }
            bodies(&fields).map(|body| read(&body))
        };
        for callback in replaced(&encoded) {
            prop_assert_eq!(callback.replay_url(), url.clone());
            prop_assert_eq!(callback.stream_alias(), encoded.clone());
            prop_assert_eq!(callback.other_fields().next(), Some(("new", encoded.as_str())));
        }
        for callback in replaced(&url) {
            prop_assert_eq!(callback.replay_url(), url.clone());
        }
    }

    #[test]
    fn what_is_parsed_and_printed_parses_to_the_same(content in content()) {
        let callback = read(&json(&content));
        for body in bodies(&reprinted(&callback)) {
            prop_assert_eq!(read(&body).delivery_key(), callback.delivery_key());
            prop_assert_eq!(printed(&read(&body)), printed(&callback));
        }
    }

    #[test]
    fn what_is_stored_is_restored(content in content()) {
        for body in bodies(&content) {
            let callback = read(&body);
            let key = callback.delivery_key();
            let restored = RecordCallback::restore_trusted(&callback.to_stored(), key).unwrap();
            prop_assert_eq!(printed(&restored), printed(&callback));
            prop_assert_eq!(restored.extra_params(), callback.extra_params());
            prop_assert_eq!(restored.delivery_key(), key);
            prop_assert_eq!(restored.to_stored(), callback.to_stored());
        }
    }

    #[test]
    fn any_bytes_are_restored_or_not(
        content in content(),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        at in any::<prop::sample::Index>(),
    ) {
        let callback = read(&json(&content));
        let key = callback.delivery_key();
        let mut stored = callback.to_stored();
        let start = at.index(stored.len());
        let end = stored.len().min(start + bytes.len() / 2);
        stored.splice(start..end, bytes.iter().copied());
        for bytes in [&stored, &[&[1], bytes.as_slice()].concat()] {
            if let Ok(restored) = RecordCallback::restore_trusted(bytes, key) {
                prop_assert_eq!(restored.delivery_key(), key);
                prop_assert_eq!(&restored.to_stored(), bytes);
            }
        }
    }

    #[test]
    fn other_content_is_another_delivery(content in content(), other in "[0-9]{11,14}") {
        let key = read(&json(&content)).delivery_key();
        for position in 1..content.len() {
            let mut changed = content.clone();
            changed[position].1 = Value::Text(other.clone());
            prop_assert_ne!(read(&json(&changed)).delivery_key(), key, "{}", content[position].0);
        }
        let mut longer = content;
        longer.push(("one_more".to_owned(), Value::Text(String::new())));
        prop_assert_ne!(read(&json(&longer)).delivery_key(), key);
    }

    #[test]
    fn an_object_may_be_spelled_in_any_way(
        members in prop::collection::btree_map(any::<String>(), number(), 0..5),
        name in prop::sample::select(vec!["extra_params", "new"]),
    ) {
        let spell = |quote: fn(&str) -> String, separator: &str, reversed: bool| {
            let mut members: Vec<String> = members
                .iter()
                .map(|(name, number)| format!("{}{separator}:{number}", quote(name)))
                .collect();
            if reversed {
                members.reverse();
            }
            format!("{{{separator}{}}}", members.join(&format!(",{separator}")))
        };
        let plain = spell(quote, "", false);
        let unusual = spell(escape, "\n ", true);
        let keys: Vec<_> = [Value::Json(plain.clone()), Value::Text(plain), Value::Json(unusual)]
            .into_iter()
            .map(|value| read(&json(&with(vec![(name.to_owned(), value)]))).delivery_key())
            .collect();
        prop_assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }

    #[test]
    fn a_documented_field_is_never_there_twice(
        content in content(),
        position in any::<prop::sample::Index>(),
        other in known_text(),
    ) {
        let mut doubled = content;
        let name = doubled[position.index(6)].0.clone();
        doubled.push((name, Value::Text(other)));
        for body in bodies(&doubled) {
            prop_assert_eq!(rejected(&body), Verdict::Malformed, "{}", body);
        }
    }

    #[test]
    fn a_documented_field_holds_no_control_character(
        mut content in content(),
        position in any::<prop::sample::Index>(),
        control in prop_oneof!["[\\x00-\\x1f]", "[\\x7f-\\u{9f}]"],
        after in any::<prop::sample::Index>(),
    ) {
        let value = &mut content[position.index(6)].1;
        let mut text = value.text().to_owned();
        let mut at = after.index(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.insert_str(at, &control);
        *value = Value::Text(text);
        for body in bodies(&content) {
            prop_assert_eq!(rejected(&body), Verdict::Malformed, "{}", body);
        }
    }

    #[test]
    fn no_letter_moves_from_a_text_to_its_name(letters in "[tj]{2,8}", at in any::<prop::sample::Index>()) {
        let key = |at: usize| {
            let (name, text) = letters.split_at(at);
            let field = (format!("x{name}"), Value::Text(text.to_owned()));
            read(&json(&with(vec![field]))).delivery_key()
        };
        let at = at.index(letters.len());
        prop_assert_ne!(key(at), key(at + 1));
    }

    #[test]
    fn unknown_fields_are_kept_in_their_order(unknown in unknown()) {
        let expected: Vec<_> = unknown
            .iter()
            .map(|(name, value)| (name.as_str(), value.text()))
            .collect();
        for body in bodies(&with(unknown.clone())) {
            let callback = read(&body);
            let kept: Vec<_> = callback.other_fields().collect();
            prop_assert_eq!(kept, expected.clone());
        }
    }

    #[test]
    fn a_number_keeps_its_digits_and_becomes_no_float(number in prop_oneof![number(), "[1-9][0-9]{0,400}"]) {
        let number = |name: &str| (name.to_owned(), Value::Json(number.clone()));
        let extra_params = format!(r#"{{"FileID":{}}}"#, number("FileID").1.text());
        let mut fields = with(vec![number("new")]);
        fields.retain(|(name, _)| name != "appid" && name != "stream_alias");
        fields.extend([number("appid"), number("stream_alias")]);
        fields.push(("extra_params".to_owned(), Value::Json(extra_params)));
        let callback = read(&json(&fields));
        let digits = number("").1;
        prop_assert_eq!(callback.appid(), digits.text());
        prop_assert_eq!(callback.stream_alias(), digits.text());
        prop_assert_eq!(callback.extra_params().file_id(), Some(digits.text()));
        prop_assert_eq!(callback.other_fields().next(), Some(("new", digits.text())));
    }
}

/// A callback with the documented fields that it needs, and these.
fn with(unknown: Fields) -> Fields {
    let known = [
        ("event", "record"),
        ("appid", "1"),
        ("stream_alias", "a"),
        ("replay_url", "u"),
        ("begin_time", "1"),
        ("end_time", "2"),
    ];
    let known = known.map(|(name, text)| (name.to_owned(), Value::Text(text.to_owned())));
    known.into_iter().chain(unknown).collect()
}

/// A JSON string with nothing but escapes.
fn escape(text: &str) -> String {
    let units: String = text
        .encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    format!("\"{units}\"")
}

fn printed(callback: &RecordCallback) -> serde_json::Value {
    serde_json::to_value(callback).unwrap()
}

/// The content of a callback, from what it serialises to.
fn reprinted(callback: &RecordCallback) -> Fields {
    let printed = printed(callback);
    let text = |json: &serde_json::Value| match json {
        serde_json::Value::String(text) => Value::Text(text.clone()),
        number => Value::Json(number.to_string()),
    };
    let mut fields = vec![("event".to_owned(), Value::Text("record".to_owned()))];
    for name in [
        "appid",
        "stream_alias",
        "replay_url",
        "begin_time",
        "end_time",
        "extra_params",
    ] {
        if !printed[name].is_null() {
            fields.push((name.to_owned(), text(&printed[name])));
        }
    }
    for other in printed["other_fields"].as_array().unwrap() {
        fields.push((other[0].as_str().unwrap().to_owned(), text(&other[1])));
    }
    fields
}
