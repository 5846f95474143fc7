//! What a callback says, whatever form it comes in.

use proptest::prelude::*;
use zego_record_core::RecordCallback;

use crate::support::{Fields, Value, bodies, config, content, form, json, number, read, unknown};

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
    fn strings_numbers_objects_null_and_order_make_no_difference(
        content in content(),
        seed in any::<prop::sample::Index>(),
    ) {
        let strings: Fields = content
            .iter()
            .map(|(name, value)| (name.clone(), Value::Text(value.text().to_owned())))
            .collect();
        let mut rotated = content.clone();
        // Documented names come first and are unique; the order of a repeated name means something.
        rotated[..6].rotate_left(seed.index(6));
        rotated.push(("nothing".to_owned(), Value::Json("null".to_owned())));
        let expected = read(&json(&content));
        for body in [json(&strings), form(&strings), json(&rotated)] {
            prop_assert_eq!(read(&body).delivery_key(), expected.delivery_key());
            prop_assert_eq!(printed(&read(&body)), printed(&expected));
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
    fn a_number_keeps_its_digits(number in prop_oneof![number(), "[1-9][0-9]{0,400}"]) {
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
