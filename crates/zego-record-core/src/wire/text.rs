//! Where a text stands in a document, and how it is got out of it.

use std::borrow::Cow;

use super::{escape, percent};

/// A piece of a document. It is no `&str`, since a document that had to be decoded is owned by what
/// points into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    #[inline]
    pub(crate) fn of(self, document: &str) -> &str {
        document.get(self.start..self.end).unwrap_or_default()
    }
}

/// The text of a field. It was checked when it was read, and is decoded when it is asked for, so that a
/// body with a wrong signature takes no memory.
#[derive(Clone, Debug)]
pub(super) enum Text {
    /// As it stands in the document.
    Plain(Span),
    /// The inside of a JSON string with escapes.
    Escaped(Span),
    /// Percent-encoded.
    Encoded(Span),
    /// Nowhere in the document.
    Owned(String),
}

impl Text {
    pub(super) fn decode<'a>(&'a self, document: &'a str) -> Cow<'a, str> {
        let raw = self.raw(document);
        match self {
            Self::Plain(_) | Self::Owned(_) => Cow::Borrowed(raw),
            Self::Escaped(_) => Cow::Owned(escape::decode(raw)),
            Self::Encoded(_) => percent::decode(raw).unwrap_or_default(),
        }
    }

    /// The text before it is decoded.
    pub(super) fn raw<'a>(&'a self, document: &'a str) -> &'a str {
        match self {
            Self::Plain(span) | Self::Escaped(span) | Self::Encoded(span) => span.of(document),
            Self::Owned(text) => text,
        }
    }

    /// The text, if nothing is to be decoded.
    pub(super) fn as_str<'a>(&'a self, document: &'a str) -> Option<&'a str> {
        let is_decoded = matches!(self, Self::Plain(_) | Self::Owned(_));
        is_decoded.then(|| self.raw(document))
    }

    /// Whether what it stands for begins with an ASCII text, in upper or lower case.
    pub(super) fn starts_with(&self, document: &str, prefix: &str) -> bool {
        let raw = self.raw(document);
        match self {
            Self::Plain(_) | Self::Owned(_) => starts_with(raw.bytes(), prefix),
            Self::Escaped(_) => starts_with(escape::ascii_bytes(raw), prefix),
            Self::Encoded(_) => starts_with(percent::bytes(raw), prefix),
        }
    }
}

pub(super) fn starts_with(mut bytes: impl Iterator<Item = u8>, prefix: &str) -> bool {
    let mut is_next = |expected: u8| {
        bytes
            .next()
            .is_some_and(|byte| byte.eq_ignore_ascii_case(&expected))
    };
    prefix.bytes().all(&mut is_next)
}
