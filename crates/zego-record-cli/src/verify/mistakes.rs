//! The usual mistakes with the signature, tried one by one and in pairs.
//!
//! A signature has four ingredients: the secret, the two texts, their order and the digest. Each has
//! one right form and a list of wrong ones. Twenty bytes do not match by chance, so whatever matches
//! *is* the mistake that was made.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use serde::Serialize;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::variants::{Texts, secret_variants, text_variants};
use crate::secrets::Secret;

/// More mistakes than this at once are rarer than a wrong secret, and take long to try.
const MOST_AT_ONCE: usize = 2;

/// A mistake that explains a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mistake {
    /// Its name for machines.
    pub(crate) name: &'static str,
    /// What was done.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) fix: &'static str,
    /// If the body does not tell which of several it was: their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) candidates: Vec<&'static str>,
}

impl Mistake {
    pub(super) fn new(name: &'static str, what: impl Into<String>, fix: &'static str) -> Self {
        Self {
            name,
            what: what.into(),
            fix,
            candidates: Vec::new(),
        }
    }
}

/// One form of an ingredient; the right one has no mistake.
pub(super) struct Variant<T> {
    pub(super) value: T,
    pub(super) mistake: Option<Mistake>,
}

impl<T> Variant<T> {
    pub(super) fn right(value: T) -> Self {
        Self {
            value,
            mistake: None,
        }
    }

    pub(super) fn wrong(
        value: T,
        name: &'static str,
        what: impl Into<String>,
        fix: &'static str,
    ) -> Self {
        let mistake = Some(Mistake::new(name, what, fix));
        Self { value, mistake }
    }
}

/// What was looked for, and what was found.
pub(crate) struct Diagnosis {
    /// The fewest mistakes that explain the signature; none if it is right, `None` if nothing fits.
    pub(crate) mistakes: Option<Vec<Mistake>>,
    /// How many signatures were computed.
    pub(crate) tried: usize,
}

/// Looks for the mistakes by which `signature` was made over the texts with one of the secrets.
/// `configured` are those that should have been used, `others` those that may have been mistaken for
/// them. All that fit with the fewest mistakes are found: if they are several, none is claimed alone.
pub(crate) fn diagnose(
    timestamp: &str,
    nonce: &str,
    signature: &str,
    configured: &[Secret],
    others: &[Secret],
) -> Diagnosis {
    let (wanted, written) = read_signature(signature);
    let secrets = secret_variants(configured, others);
    let texts = text_variants(timestamp, nonce);
    let joints = joint_variants();
    let digests = digest_variants();
    let mut tried = 0;
    for at_once in 0..=MOST_AT_ONCE {
        let mut found: Vec<Vec<Mistake>> = Vec::new();
        for secret in &secrets {
            for texts in &texts {
                for joint in &joints {
                    for digest in &digests {
                        let mistakes = [
                            &secret.mistake,
                            &texts.mistake,
                            &joint.mistake,
                            &digest.mistake,
                        ];
                        if mistakes.iter().filter(|m| m.is_some()).count() != at_once {
                            continue;
                        }
                        tried += 1;
                        if signature_of(&secret.value, &texts.value, joint.value, digest.value)
                            == wanted
                        {
                            found.push(mistakes.into_iter().flatten().cloned().collect());
                        }
                    }
                }
            }
        }
        if at_once == 1 && found.is_empty() {
            let (missing, more) = missing_character(&texts[0].value, &wanted, configured);
            tried += more;
            found.extend(missing.map(|mistake| vec![mistake]));
        }
        if let Some(mut mistakes) = choose(found) {
            mistakes.extend(written);
            return Diagnosis {
                mistakes: Some(mistakes),
                tried,
            };
        }
    }
    Diagnosis {
        mistakes: truncated(timestamp, nonce, &wanted, configured).map(|mistake| vec![mistake]),
        tried,
    }
}

/// The explanation, if there is one, or all of them as one mistake that names none alone.
fn choose(mut found: Vec<Vec<Mistake>>) -> Option<Vec<Mistake>> {
    let names = |mistakes: &[Mistake]| mistakes.iter().map(|m| m.name).collect::<Vec<_>>();
    found.dedup_by(|one, other| names(one) == names(other));
    let first = names(found.first()?);
    if found.iter().all(|mistakes| names(mistakes) == first) {
        return Some(found.swap_remove(0));
    }
    let mut candidates: Vec<_> = found.iter().flat_map(|mistakes| names(mistakes)).collect();
    candidates.sort_unstable();
    candidates.dedup();
    let mut whats: Vec<String> = Vec::new();
    for mistakes in &found {
        let what = mistakes
            .iter()
            .map(|m| m.what.as_str())
            .collect::<Vec<_>>()
            .join(" and ");
        if !whats.contains(&what) {
            whats.push(what);
        }
    }
    Some(vec![Mistake {
        name: "one_of_several",
        what: format!(
            "this body does not tell which it was: {}",
            whats.join("; or ")
        ),
        fix: "examine a second body, whose nonce begins with another digit or has another length",
        candidates,
    }])
}

/// A signature as it may be written: with space around it, a prefix, or in Base64.
fn read_signature(signature: &str) -> (String, Option<Mistake>) {
    let trimmed = signature.trim();
    let write = "write the signature as 40 hexadecimal digits and nothing else";
    if trimmed != signature {
        let mistake = Mistake::new(
            "signature_white_space",
            "the signature has white space around it",
            write,
        );
        return (trimmed.to_ascii_lowercase(), Some(mistake));
    }
    let lower = signature.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("sha1=") {
        let mistake = Mistake::new(
            "signature_prefix",
            "the signature has the prefix \"sha1=\"",
            write,
        );
        return (hex.to_owned(), Some(mistake));
    }
    let is_hex = lower.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(bytes) = decode_base64(signature).filter(|bytes| !is_hex && bytes.len() >= 16) {
        let mistake = Mistake::new("base64_digest", "the signature is written in Base64", write);
        return (hex::encode(bytes), Some(mistake));
    }
    (lower, None)
}

fn truncated(timestamp: &str, nonce: &str, wanted: &str, configured: &[Secret]) -> Option<Mistake> {
    if !(8..40).contains(&wanted.len()) {
        return None;
    }
    let texts = Texts {
        timestamp: timestamp.to_owned(),
        nonce: nonce.to_owned(),
    };
    let right = Joint {
        order: Order::Sorted,
        separator: "",
    };
    let fits = configured.iter().any(|secret| {
        signature_of(secret.text().as_bytes(), &texts, right, Algorithm::Sha1).starts_with(wanted)
    });
    fits.then(|| {
        let what = format!(
            "the signature is right as far as it goes, but has {} of 40 digits",
            wanted.len()
        );
        Mistake::new(
            "signature_truncated",
            what,
            "keep all 40 digits of the signature",
        )
    })
}

/// A secret that was copied without one of its characters.
fn missing_character(
    texts: &Texts,
    wanted: &str,
    configured: &[Secret],
) -> (Option<Mistake>, usize) {
    let right = Joint {
        order: Order::Sorted,
        separator: "",
    };
    let mut tried = 0;
    for secret in configured {
        let text = secret.text();
        if !text.is_ascii() {
            continue;
        }
        for position in 0..=text.len() {
            let (before, after) = text.split_at(position);
            for character in ('0'..='9').chain('a'..='z').chain('A'..='Z') {
                let longer = Zeroizing::new(format!("{before}{character}{after}"));
                tried += 1;
                if signature_of(longer.as_bytes(), texts, right, Algorithm::Sha1) == wanted {
                    let what = format!("{} lacks one character", secret.name());
                    let fix = "copy the whole CallbackSecret from the ZEGOCLOUD console again";
                    return (
                        Some(Mistake::new("secret_character_missing", what, fix)),
                        tried,
                    );
                }
            }
        }
    }
    (None, tried)
}

/// Which wrong orders give the right signature for this body, so that it does not prove the sort.
pub(super) fn lucky_orders(secret: &str, timestamp: &str, nonce: &str) -> Vec<&'static str> {
    let texts = Texts {
        timestamp: timestamp.to_owned(),
        nonce: nonce.to_owned(),
    };
    let order = |order| ordered(order, secret.as_bytes(), &texts);
    let right = order(Order::Sorted);
    let mut lucky = vec!["a fixed order"];
    if order(Order::Numeric) == right {
        lucky.push("a numeric sort");
    }
    lucky
}

/// In which order the three parts are joined, and with what between them.
#[derive(Clone, Copy)]
struct Joint {
    order: Order,
    separator: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// As byte strings, which is right.
    Sorted,
    /// Timestamp and nonce as numbers.
    Numeric,
    /// As byte strings, downwards.
    Descending,
    /// As byte strings, without the secret.
    WithoutSecret,
    /// Positions among secret, timestamp, nonce.
    As([usize; 3]),
}

const PART_NAMES: [&str; 3] = ["secret", "timestamp", "nonce"];

const SORT_FIX: &str =
    "sort the three strings as byte strings, ascending, and join them without a separator";

fn joint_variants() -> Vec<Variant<Joint>> {
    let sorted = |separator| Joint {
        order: Order::Sorted,
        separator,
    };
    let mut variants = vec![Variant::right(sorted(""))];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    variants.extend(orders.map(|order| {
        let joint = Joint {
            order: Order::As(order),
            separator: "",
        };
        let names = order.map(|part| PART_NAMES[part]).join(", ");
        Variant::wrong(
            joint,
            "fixed_order",
            format!("the strings were joined in the order {names}, unsorted"),
            SORT_FIX,
        )
    }));
    let orders = [
        (
            Order::Numeric,
            "numeric_sort",
            "timestamp and nonce were sorted as numbers",
        ),
        (
            Order::Descending,
            "descending_sort",
            "the strings were sorted downwards",
        ),
        (
            Order::WithoutSecret,
            "secret_left_out",
            "no secret was signed, or an empty one",
        ),
    ];
    variants.extend(orders.map(|(order, name, what)| {
        let fix = if name == "secret_left_out" {
            "sign the secret as well: is its configuration read?"
        } else {
            SORT_FIX
        };
        Variant::wrong(
            Joint {
                order,
                separator: "",
            },
            name,
            what,
            fix,
        )
    }));
    variants.extend(["&", ",", ":", "|", "+", "-", " ", "\n"].map(|separator| {
        Variant::wrong(
            sorted(separator),
            "separator",
            format!("the texts were joined with {separator:?} between them"),
            SORT_FIX,
        )
    }));
    variants
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
    Sha1OfHex,
    Sha1OfBytes,
    Md5,
    HmacSha1 { all: bool },
    HmacSha256 { all: bool },
}

fn digest_variants() -> Vec<Variant<Algorithm>> {
    let wrong = |algorithm, name, what: &str| {
        Variant::wrong(
            algorithm,
            name,
            format!("the signature was made with {what}"),
            "use plain SHA-1 over the three sorted strings, and write it as 40 hexadecimal digits",
        )
    };
    let timestamp_and_nonce = "over timestamp and nonce, with the secret as the key";
    let all = "over all three strings, with the secret as the key";
    vec![
        Variant::right(Algorithm::Sha1),
        wrong(Algorithm::Md5, "md5", "MD5"),
        wrong(Algorithm::Sha256, "sha256", "SHA-256"),
        wrong(Algorithm::Sha512, "sha512", "SHA-512"),
        wrong(Algorithm::Sha1OfHex, "double_sha1", "SHA-1 twice"),
        wrong(Algorithm::Sha1OfBytes, "double_sha1", "SHA-1 twice"),
        wrong(
            Algorithm::HmacSha1 { all: false },
            "hmac_sha1",
            &format!("HMAC-SHA1 {timestamp_and_nonce}"),
        ),
        wrong(
            Algorithm::HmacSha1 { all: true },
            "hmac_sha1",
            &format!("HMAC-SHA1 {all}"),
        ),
        wrong(
            Algorithm::HmacSha256 { all: false },
            "hmac_sha256",
            &format!("HMAC-SHA256 {timestamp_and_nonce}"),
        ),
        wrong(
            Algorithm::HmacSha256 { all: true },
            "hmac_sha256",
            &format!("HMAC-SHA256 {all}"),
        ),
    ]
}

fn signature_of(secret: &[u8], texts: &Texts, joint: Joint, algorithm: Algorithm) -> String {
    let parts = ordered(joint.order, secret, texts);
    let join = |with_secret: bool| {
        let chosen: Vec<&[u8]> = parts
            .iter()
            .filter(|(part, _)| *part != 0 || (with_secret && joint.order != Order::WithoutSecret))
            .map(|(_, bytes)| *bytes)
            .collect();
        Zeroizing::new(chosen.join(joint.separator.as_bytes()))
    };
    match algorithm {
        Algorithm::Sha1 => hex::encode(Sha1::digest(join(true))),
        Algorithm::Sha256 => hex::encode(Sha256::digest(join(true))),
        Algorithm::Sha512 => hex::encode(Sha512::digest(join(true))),
        Algorithm::Sha1OfHex => hex::encode(Sha1::digest(hex::encode(Sha1::digest(join(true))))),
        Algorithm::Sha1OfBytes => hex::encode(Sha1::digest(Sha1::digest(join(true)))),
        Algorithm::Md5 => hex::encode(Md5::digest(join(true))),
        Algorithm::HmacSha1 { all } => hmac::<Hmac<Sha1>>(secret, &join(all)),
        Algorithm::HmacSha256 { all } => hmac::<Hmac<Sha256>>(secret, &join(all)),
    }
}

pub(super) fn hmac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> String {
    // HMAC takes keys of any length; an empty text matches no signature.
    let mac = <M as KeyInit>::new_from_slice(key);
    mac.map(|mac| hex::encode(mac.chain_update(message).finalize().into_bytes()))
        .unwrap_or_default()
}

/// The three parts, numbered as in `PART_NAMES`, in this order.
fn ordered<'a>(order: Order, secret: &'a [u8], texts: &'a Texts) -> [(usize, &'a [u8]); 3] {
    let mut parts = [
        (0, secret),
        (1, texts.timestamp.as_bytes()),
        (2, texts.nonce.as_bytes()),
    ];
    match order {
        Order::As(order) => return order.map(|part| parts[part]),
        Order::Sorted | Order::WithoutSecret => parts.sort_by_key(|(_, bytes)| *bytes),
        Order::Descending => parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes)),
        Order::Numeric => {
            parts.sort_by_key(|(_, bytes)| *bytes);
            let number = |text: &str| text.parse::<u128>().ok();
            let numbers = number(&texts.timestamp).zip(number(&texts.nonce));
            let position = |part| parts.iter().position(|(other, _)| *other == part);
            if let (Some((timestamp, nonce)), Some(one), Some(other)) =
                (numbers, position(1), position(2))
                && (timestamp < nonce) != (one < other)
            {
                parts.swap(one, other);
            }
        }
    }
    parts
}

/// The standard alphabet, padded or not; `None` if it is anything else.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}
