//! The usual mistakes with the signature, tried one by one and in pairs.
//!
//! A signature has four ingredients: the secret, the two texts, their order and the digest. Each has
//! one right form and a list of wrong ones. Twenty bytes do not match by chance, so whatever matches
//! *is* the mistake that was made.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use serde::Serialize;
use sha1::{Digest, Sha1};
use sha2::Sha256;
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
        let what = what.into();
        let mistake = Some(Mistake { name, what, fix });
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
/// them.
pub(crate) fn diagnose(
    timestamp: &str,
    nonce: &str,
    signature: &str,
    configured: &[Secret],
    others: &[Secret],
) -> Diagnosis {
    let wanted = signature.trim().to_ascii_lowercase();
    let secrets = secret_variants(configured, others);
    let texts = text_variants(timestamp, nonce);
    let joints = joint_variants();
    let digests = digest_variants();
    let mut tried = 0;
    for at_once in 0..=MOST_AT_ONCE {
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
                            let mut mistakes: Vec<Mistake> =
                                mistakes.into_iter().flatten().cloned().collect();
                            name_order(&mut mistakes, &secret.value, &texts.value, joint.value);
                            return Diagnosis {
                                mistakes: Some(mistakes),
                                tried,
                            };
                        }
                    }
                }
            }
        }
    }
    Diagnosis {
        mistakes: None,
        tried,
    }
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
    /// Positions among secret, timestamp, nonce.
    As([usize; 3]),
}

const PART_NAMES: [&str; 3] = ["secret", "timestamp", "nonce"];

const SORT_FIX: &str =
    "sort the three texts as byte strings, ascending, and join them without a separator";

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
            "unsorted",
            format!("the texts were joined in the order {names}, unsorted"),
            SORT_FIX,
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

/// A wrong order may be the outcome of a wrong sort, which is what people look for in their code.
fn name_order(mistakes: &mut [Mistake], secret: &[u8], texts: &Texts, joint: Joint) {
    let Order::As(order) = joint.order else {
        return;
    };
    let parts = [secret, texts.timestamp.as_bytes(), texts.nonce.as_bytes()];
    let position = |part| order.iter().position(|other| *other == part);
    let number = |part: usize| std::str::from_utf8(parts[part]).ok()?.parse::<u128>().ok();
    let numeric = match (number(1), number(2)) {
        (Some(timestamp), Some(nonce)) => (timestamp < nonce) == (position(1) < position(2)),
        _ => false,
    };
    let mut sorted = [0, 1, 2];
    sorted.sort_by_key(|part| parts[*part]);
    let bytewise =
        sorted.iter().position(|part| *part == 1) < sorted.iter().position(|part| *part == 2);
    let descending = order.iter().rev().eq(sorted.iter());
    for mistake in mistakes.iter_mut().filter(|m| m.name == "unsorted") {
        if numeric && bytewise != (position(1) < position(2)) {
            mistake.name = "numeric_sort";
            mistake.what = format!(
                "timestamp and nonce were sorted as numbers, not as byte strings ({})",
                mistake.what
            );
        } else if descending {
            mistake.name = "descending_sort";
            mistake.what = format!("the texts were sorted downwards ({})", mistake.what);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
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
            "use plain SHA-1 over the three sorted texts, and write it as 40 hexadecimal digits",
        )
    };
    let timestamp_and_nonce = "over timestamp and nonce, with the secret as the key";
    let all = "over all three texts, with the secret as the key";
    vec![
        Variant::right(Algorithm::Sha1),
        wrong(Algorithm::Md5, "md5", "MD5"),
        wrong(Algorithm::Sha256, "sha256", "SHA-256"),
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
    let mut parts = [
        (0, secret),
        (1, texts.timestamp.as_bytes()),
        (2, texts.nonce.as_bytes()),
    ];
    match joint.order {
        Order::Sorted => parts.sort_by_key(|(_, bytes)| *bytes),
        Order::As(order) => parts = order.map(|part| parts[part]),
    }
    let join = |with_secret: bool| {
        let chosen: Vec<&[u8]> = parts
            .iter()
            .filter(|(part, _)| with_secret || *part != 0)
            .map(|(_, bytes)| *bytes)
            .collect();
        Zeroizing::new(chosen.join(joint.separator.as_bytes()))
    };
    match algorithm {
        Algorithm::Sha1 => hex::encode(Sha1::digest(join(true))),
        Algorithm::Sha256 => hex::encode(Sha256::digest(join(true))),
        Algorithm::Md5 => hex::encode(Md5::digest(join(true))),
        Algorithm::HmacSha1 { all } => hmac::<Hmac<Sha1>>(secret, &join(all)),
        Algorithm::HmacSha256 { all } => hmac::<Hmac<Sha256>>(secret, &join(all)),
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> String {
    // HMAC takes keys of any length; an empty text matches no signature.
    let mac = <M as KeyInit>::new_from_slice(key);
    mac.map(|mac| hex::encode(mac.chain_update(message).finalize().into_bytes()))
        .unwrap_or_default()
}
