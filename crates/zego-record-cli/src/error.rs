//! Errors that end a command: wrong usage, wrong configuration, or a stream that cannot be written.

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// Why a command could not do its work. A check that failed is no error but a result.
#[derive(Debug)]
pub struct Error {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn with_source(
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            message: message.into(),
            source: Some(source.into()),
        }
    }

    /// Whether the reader of the output has gone away, as `head` does: nothing to complain about.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.source
            .as_deref()
            .and_then(|source| source.downcast_ref::<io::Error>())
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Only writes to the streams of [`Io`](crate::Io) are converted; every other error says what it was
/// about.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::with_source("cannot write the output", error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// An error with all of its causes, as one line.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_chain_is_told_once() {
        let inner = Error::with_source("cannot read `x`", io::Error::other("disk on fire"));
        let outer = Error::with_source("no secret", inner);
        assert_eq!(chain(&outer), "no secret: cannot read `x`: disk on fire");
    }
}
