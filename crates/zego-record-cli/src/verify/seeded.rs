//! Every mistake seeded into random bodies: it is found, and nothing else is ever named.

use fastrand::Rng;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::mistakes::diagnose;
use crate::secrets::Secret;

/// Unoptimised code takes minutes for the number that is aimed at.
const BODIES: usize = if cfg!(debug_assertions) { 4 } else { 10_000 };

/// What is signed: the true secret, the timestamp and the nonce.
struct Parts {
    secret: String,
    timestamp: String,
    nonce: String,
}

/// A name, the secret as it is configured, and the signature that is sent.
type Seed = (&'static str, fn(&Parts) -> String, fn(&Parts) -> String);

fn sorted(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    parts.concat()
}

fn sha1(text: impl AsRef<[u8]>) -> String {
    hex::encode(Sha1::digest(text))
}

fn sign(p: &Parts) -> String {
    sha1(sorted(&[&p.secret, &p.timestamp, &p.nonce]))
}

fn sign_with(secret: &str, p: &Parts) -> String {
    sha1(sorted(&[secret, &p.timestamp, &p.nonce]))
}

fn sign_texts(timestamp: &str, nonce: &str, p: &Parts) -> String {
    sha1(sorted(&[&p.secret, timestamp, nonce]))
}

fn configured(p: &Parts) -> String {
    p.secret.clone()
}

fn hmac_sha1(key: &str, text: &str) -> String {
    let mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
    hex::encode(mac.chain_update(text).finalize().into_bytes())
}

fn all(p: &Parts) -> String {
    sorted(&[&p.secret, &p.timestamp, &p.nonce])
}

const SEEDS: [Seed; 38] = [
    ("secret_white_space", |p| format!("{}\n", p.secret), sign),
    ("secret_white_space", |p| format!(" {}", p.secret), sign),
    ("secret_white_space", |p| format!("\t{}", p.secret), sign),
    ("secret_white_space", configured, |p| {
        sign_with(&format!(" {}", p.secret), p)
    }),
    ("secret_white_space", configured, |p| {
        sign_with(&format!("\t{}", p.secret), p)
    }),
    ("secret_white_space", configured, |p| {
        sign_with(&format!("{}\r\n", p.secret), p)
    }),
    ("secret_quotes", |p| format!("\"{}\"", p.secret), sign),
    ("secret_quotes", configured, |p| {
        sign_with(&format!("'{}'", p.secret), p)
    }),
    (
        "secret_byte_order_mark",
        |p| format!("\u{feff}{}", p.secret),
        sign,
    ),
    ("secret_byte_order_mark", configured, |p| {
        sign_with(&format!("\u{feff}{}", p.secret), p)
    }),
    (
        "secret_assignment",
        |p| format!("ZEGO_CALLBACK_SECRET={}", p.secret),
        sign,
    ),
    ("secret_twice", |p| format!("{0}{0}", p.secret), sign),
    ("secret_twice", configured, |p| {
        sign_with(&format!("{0}{0}", p.secret), p)
    }),
    ("secret_case", configured, |p| {
        sign_with(&p.secret.to_uppercase(), p)
    }),
    (
        "secret_character_missing",
        |p| p.secret[1..].to_owned(),
        sign,
    ),
    (
        "secret_character_missing",
        |p| p.secret[..31].to_owned(),
        sign,
    ),
    (
        "secret_character_missing",
        |p| format!("{}{}", &p.secret[..9], &p.secret[10..]),
        sign,
    ),
    ("secret_encoded", configured, |p| {
        sign_with(&hex::encode(&p.secret), p)
    }),
    ("secret_hashed", configured, |p| {
        sign_with(&hex::encode(Md5::digest(&p.secret)), p)
    }),
    ("secret_left_out", configured, |p| sign_with("", p)),
    ("fields_not_read", configured, |p| {
        sign_texts("undefined", "undefined", p)
    }),
    ("fields_not_read", configured, |p| {
        sign_texts("None", "None", p)
    }),
    ("fields_not_read", configured, |p| sign_texts("", "", p)),
    ("milliseconds", configured, |p| {
        sign_texts(&format!("{}000", p.timestamp), &p.nonce, p)
    }),
    ("separator", configured, |p| {
        let mut parts = [p.secret.as_str(), &p.timestamp, &p.nonce];
        parts.sort_unstable();
        sha1(parts.join("&"))
    }),
    ("fixed_order", configured, |p| {
        sha1(format!("{}{}{}", p.secret, p.timestamp, p.nonce))
    }),
    ("fixed_order", configured, |p| {
        sha1(format!("{}{}{}", p.timestamp, p.nonce, p.secret))
    }),
    ("fixed_order", configured, |p| {
        sha1(format!("{}{}{}", p.nonce, p.timestamp, p.secret))
    }),
    ("descending_sort", configured, |p| {
        let mut parts = [p.secret.as_str(), &p.timestamp, &p.nonce];
        parts.sort_unstable_by(|one, other| other.cmp(one));
        sha1(parts.concat())
    }),
    ("md5", configured, |p| hex::encode(Md5::digest(all(p)))),
    ("sha256", configured, |p| {
        hex::encode(Sha256::digest(all(p)))
    }),
    ("sha512", configured, |p| {
        hex::encode(Sha512::digest(all(p)))
    }),
    ("double_sha1", configured, |p| sha1(sha1(all(p)))),
    ("hmac_sha1", configured, |p| {
        hmac_sha1(&p.secret, &sorted(&[&p.timestamp, &p.nonce]))
    }),
    ("hmac_sha1", configured, |p| hmac_sha1(&p.secret, &all(p))),
    ("signature_white_space", configured, |p| {
        format!(" {}\n", sign(p))
    }),
    ("signature_prefix", configured, |p| {
        format!("sha1={}", sign(p))
    }),
    ("signature_truncated", configured, |p| {
        sign(p)[..39].to_owned()
    }),
];

fn parts(rng: &mut Rng) -> Parts {
    let digits = |count: usize, rng: &mut Rng| -> String {
        std::iter::repeat_with(|| rng.digit(10))
            .take(count)
            .collect()
    };
    let nonce = match rng.u8(..4) {
        0 => digits(3, rng),
        1 => digits(6, rng),
        2 => digits(19, rng),
        _ => std::iter::repeat_with(|| rng.alphanumeric())
            .take(10)
            .collect(),
    };
    Parts {
        secret: std::iter::repeat_with(|| rng.digit(16)).take(32).collect(),
        timestamp: rng.u64(1_500_000_000..2_000_000_000).to_string(),
        nonce,
    }
}

#[test]
fn a_seeded_mistake_is_found_and_no_other_is_ever_named() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    for (number, (name, configure, signature)) in SEEDS.into_iter().enumerate() {
        for _ in 0..BODIES {
            let parts = parts(&mut rng);
            let configured = configure(&parts);
            let secret = Secret::new("secret", Zeroizing::new(configured.clone()));
            let signature = signature(&parts);
            let right = signature == sign_with(&configured, &parts);
            let found = diagnose(&parts.timestamp, &parts.nonce, &signature, &[secret], &[]);
            let shown = || {
                format!(
                    "row {number}, {name}: {configured:?}, {:?}",
                    (&parts.timestamp, &parts.nonce)
                )
            };
            let mistakes = found
                .mistakes
                .unwrap_or_else(|| panic!("nothing found: {}", shown()));
            match &mistakes[..] {
                [] => assert!(right, "{}", shown()),
                [one] if one.name == "one_of_several" => {
                    assert!(
                        one.candidates.contains(&name),
                        "{:?}, {}",
                        one.candidates,
                        shown()
                    );
                }
                [one] => assert_eq!(one.name, name, "{}", shown()),
                more => panic!("{more:?}: {}", shown()),
            }
        }
    }
}

/// The name, and how the body (without a signature) is signed; `None` for what has no name.
type Scheme = (Option<&'static str>, fn(&Parts, &str) -> String);

const SCHEMES: [Scheme; 8] = [
    (Some("key_value_pairs"), |p, _| {
        sha1(format!(
            "nonce={}&timestamp={}&key={}",
            p.nonce, p.timestamp, p.secret
        ))
    }),
    (Some("key_value_pairs"), |p, _| {
        hex::encode(Md5::digest(format!(
            "{}nonce{}timestamp{}{}",
            p.secret, p.nonce, p.timestamp, p.secret
        )))
    }),
    (Some("hmac_over_body"), |p, body| hmac_sha1(&p.secret, body)),
    (Some("hmac_over_body"), |p, body| {
        sha1(format!("{body}{}", p.secret))
    }),
    // A secret that nobody has named, a signature over something else, and chance.
    (None, |p, _| sign_with(&sha1(&p.secret), p)),
    (None, |p, body| hmac_sha1(&sha1(&p.secret), body)),
    (None, |p, _| {
        sha1(format!("{}{}", p.nonce, p.timestamp.len()))
    }),
    (None, |p, body| sha1(format!("{}{body}", p.nonce))),
];

#[test]
fn a_scheme_of_another_service_is_found_and_a_stranger_is_not_named() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    for (number, (name, signature)) in SCHEMES.into_iter().enumerate() {
        for _ in 0..BODIES {
            let parts = parts(&mut rng);
            let (time, nonce) = (&parts.timestamp, &parts.nonce);
            let (open, close) = if rng.bool() {
                let json = format!(
                    r#"{{"event":"record","stream_alias":"{}","timestamp":"{time}","nonce":"{nonce}""#,
                    rng.u64(..)
                );
                (json, "}")
            } else {
                let stream = rng.u64(..);
                let form =
                    format!("stream_alias={stream}&event=record&timestamp={time}&nonce={nonce}");
                (form, "")
            };
            let signature = signature(&parts, &format!("{open}{close}"));
            let body = if close.is_empty() {
                format!("{open}&signature={signature}")
            } else {
                format!(r#"{open},"signature":"{signature}"{close}"#)
            };
            let secret = Secret::new("secret", Zeroizing::new(parts.secret.clone()));
            let (mistakes, notes) = super::explain(body.as_bytes(), &[secret], &[]).unwrap();
            let names: Vec<_> = mistakes.iter().map(|mistake| mistake.name).collect();
            let expected: Vec<_> = name.into_iter().collect();
            assert_eq!(names, expected, "scheme {number}: {body}");
            assert_eq!(
                notes.is_empty(),
                name.is_some(),
                "scheme {number}: {notes:?}"
            );
        }
    }
}

#[test]
fn base64_is_found() {
    // SHA-1 of "abc", by Python's base64 module.
    let parts = Parts {
        secret: "c".into(),
        timestamp: "a".into(),
        nonce: "b".into(),
    };
    let secret = Secret::new("secret", Zeroizing::new(parts.secret.clone()));
    let found = diagnose("a", "b", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", &[secret], &[]);
    assert_eq!(found.mistakes.unwrap()[0].name, "base64_digest");
}

#[test]
fn what_is_no_callback_is_named() {
    for (body, name) in [
        (&b""[..], "empty"),
        (b"POST /zego HTTP/1.1\r\nHost: h\r\n\r\n{}", "http_dump"),
        (b"<xml><a/></xml>", "xml"),
        (
            b"--b\r\nContent-Disposition: form-data; name=\"nonce\"\r\n\r\n1\r\n--b--",
            "multipart",
        ),
        (b"[{\"signature\":\"x\"}]", "json_array"),
        (
            b"{\"data\":{\"signature\":\"x\",\"nonce\":\"1\"}}",
            "wrapped",
        ),
        (br#""{\"signature\":\"x\"}""#, "json_twice"),
        (
            b"{\"Event\":\"record\",\"Timestamp\":\"1\",\"Nonce\":\"1\",\"Signature\":\"x\"}",
            "capitalised_names",
        ),
        (b"\x1f\x8b\x08\x00\x00", "gzip"),
        (b"\xff\xfe{\x00", "utf16"),
    ] {
        let found = super::shape::not_a_callback(body).unwrap();
        assert_eq!(found.name, name, "{}", String::from_utf8_lossy(body));
    }
    for body in [
        "{\"nonce\":\"1\"}",
        "nonce=1&timestamp=2",
        "{\"signature\":\"x\"}",
    ] {
        assert_eq!(
            super::shape::not_a_callback(body.as_bytes()),
            None,
            "{body}"
        );
    }
}
