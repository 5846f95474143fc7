//! The signature of a test request, right or wrong in a chosen way.

use serde::Deserialize;
use zego_record_core::{CallbackSecret, Verifier, sign};

/// How a test request is signed: as ZEGOCLOUD does it, or with one of the usual mistakes.
///
/// It deserialises from the variant's name in snake case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signing {
    /// As ZEGOCLOUD signs.
    #[default]
    Right,
    /// The right signature in upper-case hexadecimal digits, which receivers accept as well.
    UpperCase,
    /// No signature at all.
    Unsigned,
    /// 40 hexadecimal digits that have nothing to do with the secret.
    Garbage,
    /// The right signature without its last digit.
    Truncated,
    /// Signed with the secret of another project.
    OtherSecret,
    /// Secret, timestamp and nonce sorted by the number that each begins with, 0 if there is none.
    NumericSort,
    /// Secret, timestamp and nonce joined in this order.
    NoSort,
}

impl Signing {
    /// Every way to sign.
    pub const ALL: [Self; 8] = [
        Self::Right,
        Self::UpperCase,
        Self::Unsigned,
        Self::Garbage,
        Self::Truncated,
        Self::OtherSecret,
        Self::NumericSort,
        Self::NoSort,
    ];

    /// The value of the field `signature`; `None` if the field is left out.
    ///
    /// A wrong order can be the right one by chance: it depends on the three strings.
    ///
    /// # Panics
    ///
    /// If `secret` is not one that [`CallbackSecret::new`] takes, or if a wrong order is asked for
    /// and timestamp or nonce holds white space or control characters.
    pub fn signature(self, secret: &str, timestamp: &str, nonce: &str) -> Option<String> {
        let right = || sign(&callback_secret(secret), timestamp, nonce).to_string();
        match self {
            Self::Right => Some(right()),
            Self::UpperCase => Some(right().to_uppercase()),
            Self::Unsigned => None,
            Self::Garbage => Some("deadbeefdeadbeefdeadbeefdeadbeefdeadbeef".to_owned()),
            Self::Truncated => {
                let mut signature = right();
                signature.pop();
                Some(signature)
            }
            Self::OtherSecret => {
                let other = callback_secret(&format!("{secret}-of-another-project"));
                Some(sign(&other, timestamp, nonce).to_string())
            }
            Self::NumericSort => {
                let mut parts = [secret, timestamp, nonce];
                parts.sort_by(|a, b| leading_number(a).total_cmp(&leading_number(b)));
                Some(sha1(&parts.concat()))
            }
            Self::NoSort => Some(sha1(&[secret, timestamp, nonce].concat())),
        }
    }

    /// A nonce under which this signature is sure to differ from the right one where that depends on
    /// the nonce, unless the timestamp begins with a 9.
    pub(crate) fn nonce(self, rng: &mut fastrand::Rng) -> String {
        match self {
            // A smaller number than any timestamp of ten digits, and a greater string.
            Self::NumericSort => format!("9{:08}", rng.u32(..100_000_000)),
            // Belongs before the timestamp, and comes after it.
            Self::NoSort => format!("0{:017}", rng.u64(..100_000_000_000_000_000)),
            _ => rng
                .u64(1_000_000_000_000_000_000..10_000_000_000_000_000_000)
                .to_string(),
        }
    }
}

pub(crate) fn callback_secret(secret: &str) -> CallbackSecret {
    CallbackSecret::new(secret)
        .unwrap_or_else(|error| panic!("the test secret is unusable: {error}"))
}

pub(crate) fn verifier_with(secret: &str) -> Verifier {
    Verifier::builder()
        .secret(callback_secret(secret))
        .build()
        .unwrap_or_else(|error| panic!("one secret is configuration enough: {error}"))
}

/// SHA-1 over one string, which is what signing does when the other two are empty.
fn sha1(text: &str) -> String {
    sign(&callback_secret(text), "", "").to_string()
}

/// What a numeric sort in PHP or JavaScript sees in a string.
fn leading_number(text: &str) -> f64 {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits].parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_signature_is_the_published_one() {
        let signature = |signing: Signing| signing.signature("secret", "1470820198", "123412");
        let right = "5bd59fd62953a8059fb7eaba95720f66d19e4517";
        assert_eq!(signature(Signing::Right).as_deref(), Some(right));
        assert_eq!(signature(Signing::UpperCase), Some(right.to_uppercase()));
        assert_eq!(signature(Signing::Truncated).as_deref(), Some(&right[..39]));
        assert_eq!(signature(Signing::Unsigned), None);
    }

    #[test]
    fn a_wrong_order_is_hashed_as_given() {
        // As numbers: secret (0), nonce, timestamp.
        assert_eq!(
            Signing::NoSort.signature("secret", "1470820198", "123412"),
            Some(sha1("secret1470820198123412"))
        );
        assert_eq!(
            Signing::NumericSort.signature("secret", "1470820198", "123412"),
            Some(sha1("secret1234121470820198"))
        );
        assert_eq!(sha1("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn a_nonce_drawn_for_a_wrong_order_makes_it_wrong() {
        let mut rng = fastrand::Rng::with_seed(7);
        for secret in [
            "0",
            "0123456789abcdef",
            "15",
            "1760001893",
            "5",
            "9",
            "secret",
        ] {
            for signing in [Signing::NumericSort, Signing::NoSort] {
                for _ in 0..50 {
                    let nonce = signing.nonce(&mut rng);
                    assert_ne!(
                        signing.signature(secret, "1760001893", &nonce),
                        Signing::Right.signature(secret, "1760001893", &nonce),
                        "{signing:?} {secret} {nonce}"
                    );
                }
            }
        }
    }
}
