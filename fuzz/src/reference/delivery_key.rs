//! The delivery key, from a tree of values and with nothing saved.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::json::{self, Json};
use super::verdict::Member;

/// The 64 digits of the key of a body that is signed and fresh.
pub fn delivery_key(known: &HashMap<&'static str, String>, others: &[Member]) -> String {
    let mut fields = Vec::new();
    for (name, text) in known {
        let content = match *name {
            "timestamp" | "nonce" | "signature" => continue,
            _ if text.is_empty() => continue,
            "begin_time" | "end_time" => ('t', time(text)),
            "extra_params" => content(text),
            _ => ('t', text.clone()),
        };
        fields.push(((*name).to_owned(), content));
    }
    for member in others {
        let text = match &member.value {
            Json::Text(text) => text,
            _ => &member.source,
        };
        fields.push((member.name.clone(), content(text)));
    }
    // Stable: fields of the same name keep their order.
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut hashed = b"zego-record delivery 1\n".to_vec();
    for (name, (kind, text)) in fields {
        hashed.extend(u64::try_from(name.len()).expect("a length").to_be_bytes());
        hashed.extend(name.bytes());
        hashed.push(u8::try_from(kind).expect("a letter"));
        hashed.extend(u64::try_from(text.len()).expect("a length").to_be_bytes());
        hashed.extend(text.bytes());
    }
    let key = Sha256::digest(hashed);
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time is the same however its digits are written.
fn time(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.chars().all(|digit| digit.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(seconds) if is_plain => seconds.to_string(),
        _ => text.to_owned(),
    }
}

/// An array or object in its canonical form; any other text as it is.
fn content(text: &str) -> (char, String) {
    match json::read(text) {
        Some(document) if !document.has_lone_surrogate => match document.value {
            value @ (Json::Array(_) | Json::Object(_)) => ('j', canonical(&value)),
            _ => ('t', text.to_owned()),
        },
        _ => ('t', text.to_owned()),
    }
}

fn canonical(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(digits) => digits.clone(),
        Json::Text(text) => quote(text),
        Json::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(canonical).collect();
            format!("[{}]", elements.join(","))
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            let members: Vec<_> = members
                .into_iter()
                .map(|(name, value)| format!("{}:{}", quote(name), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
