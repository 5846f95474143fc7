//! The secret that both sides share.

use std::env;
use std::fmt;

use zeroize::Zeroizing;

use crate::config::{ConfigError, ConfigErrorKind};

/// A project's *CallbackSecret*, from the ZEGOCLOUD console.
///
/// It is the CallbackSecret, not the ServerSecret and not the AppSign, although some of the English
/// documentation says otherwise. Usually it is 32 hexadecimal digits, but any text without white
/// space, control characters and commas is accepted. A comma separates the secrets in an environment
/// variable.
///
/// The secret is wiped from memory when dropped, never printed, and cannot be compared with `==`.
///
/// ```
/// use zego_record_core::CallbackSecret;
///
/// let secret = CallbackSecret::new("0123456789abcdef0123456789abcdef")?;
/// assert_eq!(format!("{secret:?}"), "CallbackSecret(..)");
/// assert!(CallbackSecret::new("").is_err());
/// # Ok::<(), zego_record_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct CallbackSecret(Zeroizing<String>);

impl CallbackSecret {
    /// Takes a secret from a string.
    ///
    /// # Errors
    ///
    /// If it is empty, or holds white space, control characters or a comma anywhere.
    pub fn new(secret: impl Into<String>) -> Result<Self, ConfigError> {
        let secret = Zeroizing::new(secret.into());
        match defect(&secret) {
            None => Ok(Self(secret)),
            Some(defect) => Err(ConfigError::new(
                ConfigErrorKind::Secret,
                format!("the callback secret {defect}"),
            )),
        }
    }

    /// Takes the one secret that is in the environment variable `variable`.
    ///
    /// A variable holds one or more secrets, separated by commas. This is for a program that can use only
    /// one; a receiver takes all of them, with [`list_from_env`](Self::list_from_env) or
    /// [`VerifierBuilder::secrets_from_env`](crate::VerifierBuilder::secrets_from_env).
    ///
    /// # Errors
    ///
    /// If the variable is not set or not Unicode, if it holds more than one secret, or if
    /// [`new`](Self::new) rejects its value.
    pub fn from_env(variable: &str) -> Result<Self, ConfigError> {
        let value = read_variable(variable)?;
        if value.contains(',') {
            return Err(in_variable(
                variable,
                "is a list, and one secret is needed here: use list_from_env or secrets_from_env to take all that are separated by commas",
            ));
        }
        Self::in_variable(variable, &value)
    }

    /// Takes one or more secrets, separated by commas, from the environment variable `variable`: the
    /// old one and the new one while a secret is being replaced.
    ///
    /// # Errors
    ///
    /// If the variable is not set or not Unicode, or if [`new`](Self::new) rejects one of the secrets; an
    /// empty one too, so a comma at the end is an error.
    pub fn list_from_env(variable: &str) -> Result<Vec<Self>, ConfigError> {
        let value = read_variable(variable)?;
        value
            .split(',')
            .map(|part| Self::in_variable(variable, part))
            .collect()
    }

    fn in_variable(variable: &str, secret: &str) -> Result<Self, ConfigError> {
        match defect(secret) {
            None => Ok(Self(Zeroizing::new(secret.to_owned()))),
            Some(defect) => Err(in_variable(variable, defect)),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for CallbackSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackSecret(..)")
    }
}

fn read_variable(variable: &str) -> Result<Zeroizing<String>, ConfigError> {
    let error = |problem: &str| {
        let message = format!(
            "the environment variable {variable} {problem}: put the project's CallbackSecret from the ZEGOCLOUD console in it"
        );
        ConfigError::new(ConfigErrorKind::Environment, message)
    };
    match env::var(variable) {
        Ok(value) => Ok(Zeroizing::new(value)),
        Err(env::VarError::NotPresent) => Err(error("is not set")),
        Err(env::VarError::NotUnicode(_)) => Err(error("is not valid Unicode")),
    }
}

fn in_variable(variable: &str, defect: &str) -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::Secret,
        format!("the callback secret in {variable} {defect}"),
    )
}

fn defect(secret: &str) -> Option<&'static str> {
    if secret.is_empty() {
        Some("is empty: with an empty secret anybody could sign")
    } else if secret.ends_with(char::is_whitespace) {
        Some("ends with white space: remove it, a newline is often copied along")
    } else if secret.contains(char::is_whitespace) {
        Some("contains white space: copy it again from the ZEGOCLOUD console")
    } else if secret.contains(char::is_control) {
        Some("contains a control character: copy it again from the ZEGOCLOUD console")
    } else if secret.contains(',') {
        Some("contains a comma: if it is a list, add each secret by itself")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_secret_is_described_without_showing_it() {
        for (secret, word) in [
            ("", "is empty"),
            ("hunter2\n", "ends with white space"),
            ("hunter2\r\n", "ends with white space"),
            (" hunter2", "contains white space"),
            ("hunter\u{a0}2", "contains white space"),
            ("hunter\u{0}2", "contains a control character"),
            ("hunter2,hunter3", "contains a comma"),
        ] {
            let error = CallbackSecret::new(secret).unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::Secret, "{secret:?}");
            assert!(error.to_string().contains(word), "{secret:?}: {error}");
            assert!(
                !format!("{error} {error:?}").contains("hunter"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = CallbackSecret::from_env("ZEGO_RECORD_TEST_NOT_SET").unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Environment);
        assert!(
            error
                .to_string()
                .contains("ZEGO_RECORD_TEST_NOT_SET is not set"),
            "{error}"
        );
    }
}
