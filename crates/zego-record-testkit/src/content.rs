//! The content of a test request, and its three wire forms.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde::Deserialize;
use serde_json::Value as Json;
use zego_record_core::{Vendor, WireForm};

/// Fields by name in the order in which they are sent; names may repeat.
pub(crate) type Fields = Vec<(String, Value)>;

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The fields that are integers in a string, and that may come as numbers too.
const INTEGERS: [&str; 5] = ["appid", "begin_time", "end_time", "timestamp", "nonce"];

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    /// JSON as it stands: a number, null, an array, or nothing valid at all.
    Json(String),
}

/// A plausible recording of half an hour.
pub(crate) fn recording(vendor: Option<Vendor>) -> Fields {
    let extra_params = match vendor {
        Some(Vendor::Tencent) => {
            r#"{"TaskId":"kUvRq2MZ0000","FileID":"5285890813218549789","Duration":1800.52}"#
        }
        Some(Vendor::Wangsu) => {
            r#"{"PersistentId":"20006f2e4c1fa3b04d5b9b0c2d8e6f714a3b","Duration":1800.52}"#
        }
        Some(Vendor::Huawei) => {
            r#"{"Duration":1800.52,"ObsObject":"record/app/lesson-7/2025-10-09-08-53-20.mp4","FileSize":73400320}"#
        }
        None => "",
        Some(other) => panic!("the test kit has no sample of {}", other.name()),
    };
    let mut fields: Vec<_> = [
        ("event", "record"),
        ("appid", "1234567890"),
        ("stream_alias", "lesson-7"),
        ("replay_url", "https://vod.example.com/lesson-7.mp4"),
        ("begin_time", "1760000000"),
        ("end_time", "1760001800"),
        ("extra_params", extra_params),
    ]
    .map(|(name, text)| (name.to_owned(), Value::Text(text.to_owned())))
    .into();
    fields.retain(|(_, value)| !matches!(value, Value::Text(text) if text.is_empty()));
    fields
}

/// Turns integers in strings into numbers, as far as a number would keep all their digits.
pub(crate) fn integers_to_numbers(fields: &mut Fields) {
    for (name, value) in fields {
        if let Value::Text(text) = value
            && INTEGERS.contains(&name.as_str())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'))
            && !text.is_empty()
        {
            *value = Value::Json(std::mem::take(text));
        }
    }
}

/// Turns `extra_params` from a string that holds an object into the object.
pub(crate) fn extra_params_to_object(fields: &mut Fields) {
    for (name, value) in fields {
        if let Value::Text(text) = value
            && name == "extra_params"
            && matches!(serde_json::from_str(text), Ok(Json::Object(_)))
        {
            *value = Value::Json(std::mem::take(text));
        }
    }
}

pub(crate) fn write(fields: &Fields, form: WireForm) -> String {
    match form {
        WireForm::Json => write_json(fields),
        WireForm::EncodedJson => encode(write_json(fields).as_bytes(), HexCase::Upper),
        WireForm::Form => write_form(fields),
        other => panic!("the test kit cannot write {other:?}"),
    }
}

fn write_json(fields: &Fields) -> String {
    let members: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            let name = Json::from(name.as_str());
            match value {
                Value::Text(text) => format!("{name}:{}", Json::from(text.as_str())),
                Value::Json(json) => format!("{name}:{json}"),
            }
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A form has only strings: null leaves a field out, and a JSON string loses its quotes.
fn write_form(fields: &Fields) -> String {
    let pairs: Vec<(&str, String)> = fields
        .iter()
        .filter_map(|(name, value)| {
            let text = match value {
                Value::Text(text) => text.clone(),
                Value::Json(json) => match serde_json::from_str(json) {
                    Ok(Json::Null) => return None,
                    Ok(Json::String(text)) => text,
                    _ => json.clone(),
                },
            };
            Some((name.as_str(), text))
        })
        .collect();
    serde_urlencoded::to_string(pairs)
        .unwrap_or_else(|error| panic!("pairs of strings make a form: {error}"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HexCase {
    Upper,
    Lower,
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub(crate) fn encode(bytes: &[u8], case: HexCase) -> String {
    // A piece is either plain text or one escape, and only an escape begins with a percent sign.
    let piece = |piece: &str| match case {
        HexCase::Lower if piece.starts_with('%') => piece.to_ascii_lowercase(),
        _ => piece.to_owned(),
    };
    percent_encode(bytes, RESERVED).map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, text: &str) -> (String, Value) {
        (name.to_owned(), Value::Text(text.to_owned()))
    }

    #[test]
    fn each_wire_form_is_written_as_documented() {
        let fields = vec![
            text("a b", "\"+%"),
            ("n".to_owned(), Value::Json("12".to_owned())),
            ("z".to_owned(), Value::Json("null".to_owned())),
        ];
        assert_eq!(
            write(&fields, WireForm::Json),
            r#"{"a b":"\"+%","n":12,"z":null}"#
        );
        assert_eq!(write(&fields, WireForm::Form), "a+b=%22%2B%25&n=12");
        assert_eq!(
            write(&fields[1..].to_vec(), WireForm::EncodedJson),
            "%7B%22n%22%3A12%2C%22z%22%3Anull%7D"
        );
        assert_eq!(encode("éA{-~".as_bytes(), HexCase::Lower), "%c3%a9A%7b-~");
    }

    #[test]
    fn an_integer_becomes_a_number_only_if_it_keeps_its_digits() {
        let mut fields = vec![
            text("nonce", "12345678901234567890"),
            text("appid", "007"),
            text("begin_time", "-1"),
            text("end_time", ""),
            text("stream_alias", "5"),
        ];
        integers_to_numbers(&mut fields);
        assert_eq!(
            write_json(&fields),
            r#"{"nonce":12345678901234567890,"appid":"007","begin_time":"-1","end_time":"","stream_alias":"5"}"#
        );
    }
}
