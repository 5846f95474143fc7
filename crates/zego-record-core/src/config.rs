//! What can be wrong at start-up.

use std::error::Error;
use std::fmt;

/// A mistake in the configuration, reported when it is built and never while a request is served.
///
/// The message names the setting and says how to fix it. It never contains a secret.
///
/// ```
/// use zego_record_core::{CallbackSecret, ConfigErrorKind};
///
/// let error = CallbackSecret::new("0123456789abcdef\n").unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Secret);
/// assert_eq!(error.to_string(), "the callback secret ends with white space: remove it, a newline is often copied along");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: String,
}

/// Which part of the configuration a [`ConfigError`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// A callback secret is empty, malformed or missing.
    Secret,
    /// An environment variable is not set or not valid Unicode.
    Environment,
    /// A tolerance, timeout, lease, retention or size is outside the safe range.
    Limit,
    /// The policy for playback URLs cannot be built.
    ReplayUrlPolicy,
    /// Any other error, reported by a crate that builds on this one, such as a store.
    Other,
}

impl ConfigError {
    /// Creates an error, for crates that build on this one. `message` should say what is wrong and how
    /// to fix it, in lower case, without a full stop and without any secret.
    pub fn new(kind: ConfigErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Which part of the configuration is wrong.
    pub fn kind(&self) -> ConfigErrorKind {
        self.kind
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// `main` prints errors with `Debug`, so that is the readable text as well.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigError({:?}: {})", self.kind, self.message)
    }
}

impl Error for ConfigError {}
