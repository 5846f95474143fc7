//! Signatures as other services make them: over `name=value` pairs, or over the body.

use hmac::Hmac;
use md5::Md5;
use serde_json::Value;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::mistakes::{Mistake, hmac};
use crate::secrets::Secret;

/// What the secret is called in such a list of pairs.
const SECRET_NAMES: [&str; 7] = [
    "appsecret",
    "app_secret",
    "callback_secret",
    "key",
    "secret",
    "secret_key",
    "token",
];

/// Between a name and its value, and between two pairs.
const PUNCTUATION: [(&str, &str); 3] = [("=", "&"), ("=", ""), ("", "")];

const FIX: &str = "use plain SHA-1 over the sorted secret, timestamp and nonce, the values alone: ZEGOCLOUD signs nothing else";

/// The signature as pairs of timestamp and nonce, of all fields of the body, or as a digest of the body.
pub(super) fn explain(
    timestamp: &str,
    nonce: &str,
    wanted: &str,
    body: &[u8],
    secrets: &[Secret],
) -> Option<Mistake> {
    let wanted = wanted.trim().to_ascii_lowercase();
    let signed = vec![
        ("nonce".to_owned(), nonce.to_owned()),
        ("timestamp".to_owned(), timestamp.to_owned()),
    ];
    let over_pairs = |fields: &[(String, String)]| {
        secrets.iter().any(|secret| {
            PUNCTUATION
                .iter()
                .any(|punctuation| pairs_match(fields, secret.text(), *punctuation, &wanted))
        })
    };
    let bodies = bodies(body);
    let over_body = secrets.iter().any(|secret| {
        let secret = secret.text().as_bytes();
        bodies
            .iter()
            .any(|body| body_signatures(secret, body).contains(&wanted))
    });
    // First, since a form whose names are in order is a list of pairs as well.
    if over_body {
        let what = "the body was signed, with the secret as a key or beside it";
        return Some(Mistake::new("hmac_over_body", what, FIX));
    }
    if over_pairs(&signed) {
        let what = "timestamp and nonce were signed with their names, as in nonce=..&timestamp=..";
        return Some(Mistake::new("key_value_pairs", what, FIX));
    }
    if over_pairs(&fields_of(body)) {
        let what = "all fields of the body were signed, as a list of names and values";
        return Some(Mistake::new("key_value_pairs", what, FIX));
    }
    None
}

fn pairs_match(
    fields: &[(String, String)],
    secret: &str,
    (equals, and): (&str, &str),
    wanted: &str,
) -> bool {
    let join = |fields: &[(&str, &str)]| {
        let pairs = fields
            .iter()
            .map(|(name, value)| format!("{name}{equals}{value}"));
        Zeroizing::new(pairs.collect::<Vec<_>>().join(and))
    };
    let mut sorted: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    sorted.sort_unstable();
    let reversed: Vec<_> = sorted.iter().rev().copied().collect();
    for order in [&sorted, &reversed] {
        let text = join(order);
        let around = [
            text.clone(),
            Zeroizing::new(format!("{}{secret}", *text)),
            Zeroizing::new(format!("{secret}{}", *text)),
            Zeroizing::new(format!("{secret}{}{secret}", *text)),
        ];
        if around
            .iter()
            .any(|text| digests(text).contains(&wanted.to_owned()))
            || keyed(secret, &text).contains(&wanted.to_owned())
        {
            return true;
        }
    }
    SECRET_NAMES.iter().any(|name| {
        let mut last = sorted.clone();
        last.push((name, secret));
        let mut among = last.clone();
        among.sort_unstable();
        [last, among].iter().any(|fields| {
            let text = join(fields);
            digests(&text).contains(&wanted.to_owned())
                || keyed(secret, &text).contains(&wanted.to_owned())
        })
    })
}

fn digests(text: &str) -> [String; 3] {
    [
        hex::encode(Sha1::digest(text)),
        hex::encode(Md5::digest(text)),
        hex::encode(Sha256::digest(text)),
    ]
}

fn keyed(secret: &str, text: &str) -> [String; 2] {
    let (secret, text) = (secret.as_bytes(), text.as_bytes());
    [
        hmac::<Hmac<Sha1>>(secret, text),
        hmac::<Hmac<Sha256>>(secret, text),
    ]
}

/// HMAC and plain digests over the body, in hexadecimal.
fn body_signatures(secret: &[u8], body: &[u8]) -> [String; 4] {
    [
        hmac::<Hmac<Sha1>>(secret, body),
        hmac::<Hmac<Sha256>>(secret, body),
        hex::encode(Sha1::digest([secret, body].concat())),
        hex::encode(Sha1::digest([body, secret].concat())),
    ]
}

/// All fields but the signature and empty ones; none if the body cannot be read so.
fn fields_of(body: &[u8]) -> Vec<(String, String)> {
    let fields: Vec<(String, String)> = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(members)) => members
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(text) => (name, text),
                Value::Null => (name, String::new()),
                other => (name, other.to_string()),
            })
            .collect(),
        _ => serde_urlencoded::from_bytes(body).unwrap_or_default(),
    };
    let is_signed = |(name, value): &(String, String)| name != "signature" && !value.is_empty();
    fields.into_iter().filter(is_signed).collect()
}

/// The body as it is, and as it may have been before the signature was put into it.
fn bodies(body: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = vec![body.to_vec()];
    let Ok(text) = std::str::from_utf8(body) else {
        return bodies;
    };
    let fields: Vec<(String, String)> = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(members)) => {
            let signature = members.get("signature").and_then(Value::as_str);
            let signature = signature.unwrap_or_default();
            [("\"signature\":", ","), ("\"signature\": ", ", ")]
                .map(|(name, comma)| (format!("{name}\"{signature}\""), comma.to_owned()))
                .into()
        }
        _ => {
            let pair = text.split('&').find(|pair| pair.starts_with("signature="));
            let pair = pair.map(|pair| (pair.to_owned(), "&".to_owned()));
            pair.into_iter().collect()
        }
    };
    for (field, separator) in fields {
        for before_or_after in [format!("{separator}{field}"), format!("{field}{separator}")] {
            if text.contains(&before_or_after) {
                bodies.push(text.replacen(&before_or_after, "", 1).into_bytes());
            }
        }
    }
    bodies
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMESTAMP: &str = "1760001893";
    const NONCE: &str = "456789";
    const SECRET: &str = "0123456789abcdef";

    fn found(signature: &str, body: &str) -> Option<&'static str> {
        let secret = Secret::new("secret", Zeroizing::new(SECRET.to_owned()));
        let mistake = explain(TIMESTAMP, NONCE, signature, body.as_bytes(), &[secret]);
        mistake.map(|mistake| mistake.name)
    }

    #[test]
    fn pairs_are_recognised() {
        let md5 = |text: &str| hex::encode(Md5::digest(text)).to_uppercase();
        let sha1 = |text: &str| hex::encode(Sha1::digest(text));
        let pairs = format!("nonce={NONCE}&timestamp={TIMESTAMP}");
        let all = format!("appid=1&event=record&{pairs}");
        let body = format!(
            r#"{{"event":"record","appid":1,"timestamp":"{TIMESTAMP}","nonce":"{NONCE}","extra_params":""}}"#
        );
        for signature in [
            sha1(&format!("{pairs}&key={SECRET}")),
            md5(&format!("{pairs}&key={SECRET}")),
            sha1(&format!("{pairs}{SECRET}")),
            sha1(&format!(
                "nonce={NONCE}&secret={SECRET}&timestamp={TIMESTAMP}"
            )),
            sha1(&format!("timestamp={TIMESTAMP}&nonce={NONCE}{SECRET}")),
            sha1(&format!("{SECRET}nonce{NONCE}timestamp{TIMESTAMP}{SECRET}")),
            md5(&format!("{all}{SECRET}")),
            hmac::<Hmac<Sha1>>(SECRET.as_bytes(), all.as_bytes()),
        ] {
            assert_eq!(
                found(&signature, &body),
                Some("key_value_pairs"),
                "{signature}"
            );
        }
        assert_eq!(found(&sha1("something else"), &body), None);
    }

    #[test]
    fn a_signed_body_is_recognised_before_its_signature_was_put_in() {
        for (unsigned, signed) in [
            (r#"{"a":"1","b":2}"#, r#"{"a":"1","signature":"SIG","b":2}"#),
            (
                r#"{"a": "1", "b": 2}"#,
                r#"{"a": "1", "b": 2, "signature": "SIG"}"#,
            ),
            (r#"{"a":"1"}"#, r#"{"signature":"SIG","a":"1"}"#),
            ("a=1&b=2", "a=1&signature=SIG&b=2"),
            ("a=1&b=2", "signature=SIG&a=1&b=2"),
        ] {
            let signature = hmac::<Hmac<Sha256>>(SECRET.as_bytes(), unsigned.as_bytes());
            let body = signed.replace("SIG", &signature);
            assert_eq!(found(&signature, &body), Some("hmac_over_body"), "{signed}");
            assert_eq!(found(&"0".repeat(64), &body), None, "{signed}");
        }
    }
}
