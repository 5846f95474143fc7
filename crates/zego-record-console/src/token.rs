//! What lets an operator in.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zego_record_core::{ConfigError, ConfigErrorKind};
use zeroize::Zeroizing;

/// The token that operators sign in with: 20 to 128 letters, digits, hyphens, dots, underscores and
/// tildes, so that it can stand in a URL as it is.
///
/// It is wiped from memory when dropped, never printed, and cannot be compared with `==`.
///
/// ```
/// use zego_record_console::Token;
///
/// let token = Token::random()?;
/// assert_eq!(format!("{token:?}"), "Token(..)");
/// assert!(Token::new("secret").is_err());
/// # Ok::<(), zego_record_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    const LENGTH: std::ops::RangeInclusive<usize> = 20..=128;

    /// Takes a token from a string.
    ///
    /// # Errors
    ///
    /// If it is too short, too long, or holds another character.
    pub fn new(token: impl Into<String>) -> Result<Self, ConfigError> {
        let token = Zeroizing::new(token.into());
        let problem = if token.ends_with(char::is_whitespace) {
            "ends with white space: remove it, a newline is often copied along"
        } else if !Self::LENGTH.contains(&token.len()) {
            "is not 20 to 128 characters long: `openssl rand -hex 32` makes one"
        } else if !token.bytes().all(is_unreserved) {
            "holds a character that would have to be encoded in a URL: `openssl rand -hex 32` makes one"
        } else {
            return Ok(Self(token));
        };
        Err(error(format!("the token of the operator's page {problem}")))
    }

    /// Makes a token of 256 bits.
    ///
    /// # Errors
    ///
    /// If the operating system has no random numbers.
    pub fn random() -> Result<Self, ConfigError> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill(&mut *bytes)?;
        Ok(Self(Zeroizing::new(hex::encode(bytes.as_slice()))))
    }

    /// Whether it is the one that was given. How long this takes depends on the length of what was
    /// given alone.
    pub(crate) fn matches(&self, given: &str) -> bool {
        self.digest().ct_eq(&digest(given)).into()
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        digest(&self.0)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Random bytes from the operating system.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), ConfigError> {
    let failed = |cause| {
        error(format!(
            "the operating system has no random numbers: {cause}"
        ))
    };
    getrandom::fill(bytes).map_err(failed)
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// What a URL need not encode (RFC 3986).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn error(message: String) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Other, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_what_is_no_token_without_printing_it() {
        for (token, word) in [
            ("", "20 to 128"),
            ("hunter2-hunter2-hun", "20 to 128"),
            ("hunter2-hunter2-hunter2\n", "white space"),
            ("hunter2/hunter2/hunter2", "URL"),
            ("hunter2 hunter2 hunter2", "URL"),
            ("hünter2-hünter2-hünter2", "URL"),
        ] {
            let error = Token::new(token).unwrap_err().to_string();
            assert!(error.contains(word), "{token:?}: {error}");
            assert!(!error.contains("nter2"), "{error}");
        }
        assert!(Token::new("x".repeat(129)).is_err());
    }

    #[test]
    fn matches_itself_alone() {
        let token = Token::new("0123456789abcdef0123").unwrap();
        assert!(token.matches("0123456789abcdef0123"));
        for other in [
            "",
            "0123456789abcdef012",
            "0123456789abcdef01234",
            "0123456789ABCDEF0123",
        ] {
            assert!(!token.matches(other), "{other}");
        }
    }
}
