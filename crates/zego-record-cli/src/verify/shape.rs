//! What a body is that is no callback: captured wrongly, or of another kind altogether.

use serde_json::Value;

use super::mistakes::Mistake;

/// Names what the body is instead of a callback, if that can be seen.
pub(super) fn not_a_callback(body: &[u8]) -> Option<Mistake> {
    let (name, what, fix) = kind(body)?;
    Some(Mistake::new(name, what, fix))
}

/// White space and a byte order mark, which this receiver skips and others stumble over.
pub(super) fn note(body: &[u8]) -> Option<String> {
    body.starts_with(b"\xef\xbb\xbf").then(|| {
        "the body begins with a byte order mark (EF BB BF): this receiver skips it, others fail on it".to_owned()
    })
}

type Kind = (&'static str, &'static str, &'static str);

fn kind(body: &[u8]) -> Option<Kind> {
    const CAPTURE: &str =
        "save the request's body alone, byte for byte, before anything has read it";
    const SENDER: &str = "look for the body that ZEGOCLOUD sends: a JSON object, or a form, with timestamp, nonce and signature at its top";
    if body.starts_with(&[0x1f, 0x8b]) {
        return Some((
            "gzip",
            "the body is compressed with gzip",
            "decompress it before it is examined, and before your receiver reads it",
        ));
    }
    if body.starts_with(&[0xff, 0xfe]) || body.starts_with(&[0xfe, 0xff]) {
        return Some((
            "utf16",
            "the body is UTF-16: some editor or shell has converted it",
            CAPTURE,
        ));
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Some((
            "empty",
            "the body is empty: something has read it before it was saved",
            CAPTURE,
        ));
    }
    let first = text.lines().next().unwrap_or_default();
    if first.starts_with("HTTP/1.") || first.ends_with(" HTTP/1.1") || first.ends_with(" HTTP/1.0")
    {
        return Some((
            "http_dump",
            "this is a whole HTTP message with its headers",
            "keep only what follows the first empty line",
        ));
    }
    if text.starts_with('<') {
        return Some(("xml", "the body is XML or HTML", SENDER));
    }
    if first.starts_with("--") && text.to_ascii_lowercase().contains("content-disposition:") {
        return Some(("multipart", "the body is multipart/form-data", SENDER));
    }
    match serde_json::from_str::<Value>(text).ok()? {
        Value::Array(_) => Some((
            "json_array",
            "the body is a JSON array, and a callback is an object",
            SENDER,
        )),
        Value::String(inner)
            if serde_json::from_str::<Value>(&inner).is_ok_and(|inner| inner.is_object()) =>
        {
            Some((
                "json_twice",
                "the body is JSON inside a JSON string: it was encoded twice",
                "decode it once, and find out what encodes it a second time",
            ))
        }
        Value::Object(members) => {
            let nested = |value: &Value| value.get("signature").is_some();
            let capital = ["Signature", "Timestamp", "Nonce"];
            if members.contains_key("signature") {
                None
            } else if capital.iter().any(|name| members.contains_key(*name)) {
                Some((
                    "capitalised_names",
                    "the names are capitalised: this is a callback of another ZEGOCLOUD product",
                    SENDER,
                ))
            } else if members.values().any(nested) {
                Some((
                    "wrapped",
                    "the callback is inside another object",
                    "examine the inner object: something on the way has wrapped it",
                ))
            } else {
                None
            }
        }
        _ => None,
    }
}
