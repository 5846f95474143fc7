//! The signature: how it is made, and the strict syntax of what goes into it.

use std::fmt;

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use crate::hex;
use crate::secret::CallbackSecret;
use crate::time::UnixSeconds;

/// The 20 bytes of a callback's SHA-1 signature.
///
/// Hexadecimal digits are read in upper and lower case, and written in lower case. Two signatures are
/// compared in constant time.
#[derive(Clone, Copy, Eq)]
pub struct Signature([u8; 20]);

impl Signature {
    /// Parses 40 hexadecimal digits; `None` if `text` is anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits: &[u8; 40] = text.as_bytes().try_into().ok()?;
        let (pairs, _) = digits.as_chunks();
        let mut bytes = [0; 20];
        for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = hex::byte(high, low)?;
        }
        Some(Self(bytes))
    }

    /// The 20 bytes, which identify a signed request. The nonce does not, since the digits of timestamp
    /// and nonce can be split in another place under the same signature.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// Compares in constant time.
impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Writes 40 lower-case hexadecimal digits, as ZEGOCLOUD sends them.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Does not show the bytes: whoever reads a fresh signature in a log can send any body under it.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// Signs a timestamp and a nonce as ZEGOCLOUD does: SHA-1 over secret, timestamp and nonce, sorted as
/// byte strings and joined without separators.
///
/// This is for tests and tools; a receiver has no use for it. Neither string is checked.
///
/// ```
/// use zego_record_core::{CallbackSecret, sign};
///
/// let secret = CallbackSecret::new("secret")?;
/// let signature = sign(&secret, "1470820198", "123412");
/// assert_eq!(signature.to_string(), "5bd59fd62953a8059fb7eaba95720f66d19e4517");
/// # Ok::<(), zego_record_core::ConfigError>(())
/// ```
pub fn sign(secret: &CallbackSecret, timestamp: &str, nonce: &str) -> Signature {
    let mut parts = [secret.as_bytes(), timestamp.as_bytes(), nonce.as_bytes()];
    parts.sort_unstable();
    let mut sha1 = Sha1::new();
    for part in parts {
        sha1.update(part);
    }
    Signature(sha1.finalize().into())
}

/// Exactly ten ASCII digits without a leading zero.
///
/// The signature has no separators, so digits could otherwise be moved between timestamp and nonce
/// and an old triple be passed off as a fresh one.
pub(crate) fn parse_timestamp(text: &str) -> Option<UnixSeconds> {
    let is_strict =
        text.len() == 10 && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    UnixSeconds::parse(text).filter(|_| is_strict)
}

/// 1 to 128 of `[0-9A-Za-z_-]`.
///
/// A SHA-1 length extension needs padding bytes inside of the nonce; none of them is in this set.
pub(crate) fn is_nonce(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> CallbackSecret {
        CallbackSecret::new(text).unwrap()
    }

    #[test]
    fn the_published_vector_holds() {
        let signature = sign(&secret("secret"), "1470820198", "123412");
        assert_eq!(
            signature.to_string(),
            "5bd59fd62953a8059fb7eaba95720f66d19e4517"
        );
    }

    #[test]
    fn the_order_is_that_of_bytes_wherever_the_secret_sorts() {
        // As numbers 9 < 10 < 1470820198; as byte strings "10" < "1470820198" < "9".
        assert_eq!(
            sign(&secret("9"), "1470820198", "10"),
            Signature(Sha1::digest(b"1014708201989").into())
        );
        assert_eq!(
            sign(&secret("1"), "1470820198", "10"),
            Signature(Sha1::digest(b"1101470820198").into())
        );
        assert_eq!(
            sign(&secret("12"), "1470820198", "10"),
            Signature(Sha1::digest(b"10121470820198").into())
        );
    }

    #[test]
    fn without_separators_two_splits_share_a_signature() {
        let secret = secret("secret");
        let first = sign(&secret, "1760001893", "456789");
        assert_eq!(
            first.to_string(),
            "fab71daaa170b57c9f72f90f4f38d59f4c02bac7"
        );
        assert_eq!(first, sign(&secret, "1893456789", "176000"));
    }

    #[test]
    fn hex_is_read_in_both_cases_and_nothing_else_is() {
        let lower = "5bd59fd62953a8059fb7eaba95720f66d19e4517";
        let signature = Signature::from_hex(lower).unwrap();
        assert_eq!(
            signature,
            Signature::from_hex(&lower.to_uppercase()).unwrap()
        );
        assert_eq!(signature.to_string(), lower);
        for text in [
            "",
            "5b",
            &lower[1..],
            &format!("{lower}00"),
            &lower.replace('b', "g"),
            &format!(" {}", &lower[1..]),
        ] {
            assert!(Signature::from_hex(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn timestamps_are_ten_digits_without_a_leading_zero() {
        assert_eq!(
            parse_timestamp("1760001893"),
            Some(UnixSeconds::new(1_760_001_893))
        );
        assert_eq!(
            parse_timestamp("9999999999"),
            Some(UnixSeconds::new(9_999_999_999))
        );
        for text in [
            "",
            "176000189",
            "17600018930",
            "0760001893",
            "-760001893",
            "+760001893",
            "1760001893 ",
            "1.7600e+09",
            "\u{0661}760001893",
            "1760001893000",
            "-9223372036854775808",
            // Minus zero: ten bytes, and not less than nothing.
            "-000000000",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text:?}");
        }
    }

    #[test]
    fn nonces_are_a_short_text_of_harmless_characters() {
        for nonce in [
            "1",
            "158273",
            "12345678901234567890",
            "aZ09_-",
            &"n".repeat(128),
        ] {
            assert!(is_nonce(nonce), "{nonce:?}");
        }
        for nonce in [
            "",
            &"n".repeat(129),
            "12 34",
            "12\u{0}34",
            "1\u{80}",
            "1.5e3",
            "é",
            "a\n",
        ] {
            assert!(!is_nonce(nonce), "{nonce:?}");
        }
    }
}
