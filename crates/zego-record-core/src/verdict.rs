//! The table of verdicts: the only place where a status is chosen.

use std::fmt;

use serde::{Serialize, Serializer};

/// How a request was answered: one row of the table of verdicts.
///
/// Every verdict has one status and one body, the same in every framework. ZEGOCLOUD treats any 2xx
/// as success and sends the callback again after anything else. Its current documentation asks for a
/// 2xx and its oldest for the body `1`, so every success is `200` with the body `1`.
///
/// The enum is `non_exhaustive`, since the table may get more rows.
///
/// ```
/// use zego_record_core::Verdict;
///
/// assert_eq!((Verdict::Handled.status(), Verdict::Handled.body()), (200, "1"));
/// assert_eq!((Verdict::Stale.status(), Verdict::Stale.body()), (401, "stale"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// The handler succeeded.
    Handled,
    /// The handler discarded the callback: it will never want it.
    Discarded,
    /// The callback is committed to the inbox; a worker runs the handler later.
    Accepted,
    /// The same delivery was handled or accepted before; nothing was done again.
    Duplicate,
    /// Signed, but another event than `record`; the handler was not run.
    Ignored,
    /// The method is not `POST`.
    MethodNotAllowed,
    /// The body is longer than the limit.
    BodyTooLarge,
    /// The body was not complete in time.
    BodyTimeout,
    /// The body is not readable, or the timestamp or the nonce is not in its strict syntax.
    Malformed,
    /// Signature, timestamp or nonce is absent, null or empty.
    Unsigned,
    /// No configured secret gives this signature.
    BadSignature,
    /// The timestamp is older than the tolerance.
    Stale,
    /// The timestamp is further ahead than the tolerance.
    Future,
    /// The signature was seen before with other content.
    SignatureReused,
    /// Signed, but a field that a `record` event needs is absent, empty or no integer.
    Invalid,
    /// Signed, but another event than `record`, and the receiver is configured to reject those.
    UnexpectedEvent,
    /// Signed, but the playback URL is not allowed by the policy.
    ReplayUrlRefused,
    /// The same delivery is being handled right now.
    InProgress,
    /// The handler failed or panicked.
    HandlerFailed,
    /// The handler did not finish in time.
    HandlerTimeout,
    /// The delivery store or the inbox cannot be reached.
    StoreUnavailable,
    /// Too many callbacks are in flight, or the receiver is shutting down.
    Busy,
}

impl Verdict {
    /// Every verdict, in the order of the table.
    pub const ALL: &[Self] = &[
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::Malformed,
        Self::Unsigned,
        Self::BadSignature,
        Self::Stale,
        Self::Future,
        Self::SignatureReused,
        Self::Invalid,
        Self::Ignored,
        Self::UnexpectedEvent,
        Self::ReplayUrlRefused,
        Self::InProgress,
        Self::Duplicate,
        Self::Handled,
        Self::Discarded,
        Self::Accepted,
        Self::HandlerFailed,
        Self::HandlerTimeout,
        Self::StoreUnavailable,
        Self::Busy,
    ];

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.row().0
    }

    /// The verdict's name in logs, counters and rejections: lower case with underscores.
    pub const fn code(self) -> &'static str {
        self.row().1
    }

    /// The body of the answer: `1` for a success, the [`code`](Self::code) for anything else.
    pub const fn body(self) -> &'static str {
        if self.is_success() { "1" } else { self.code() }
    }

    /// The Content-Type of the body.
    pub const fn content_type(self) -> &'static str {
        "text/plain"
    }

    /// The value of the header `Allow`, if the response has one.
    pub const fn allow(self) -> Option<&'static str> {
        match self {
            Self::MethodNotAllowed => Some("POST"),
            _ => None,
        }
    }

    /// Whether ZEGOCLOUD treats this as success and will not send the callback again.
    pub const fn is_success(self) -> bool {
        self.status() == 200
    }

    /// No wildcard arm: a new verdict does not compile before it has a row.
    const fn row(self) -> (u16, &'static str) {
        match self {
            Self::Handled => (200, "handled"),
            Self::Discarded => (200, "discarded"),
            Self::Accepted => (200, "accepted"),
            Self::Duplicate => (200, "duplicate"),
            Self::Ignored => (200, "ignored"),
            Self::MethodNotAllowed => (405, "method_not_allowed"),
            Self::BodyTooLarge => (413, "body_too_large"),
            Self::BodyTimeout => (408, "body_timeout"),
            Self::Malformed => (400, "malformed"),
            Self::Unsigned => (401, "unsigned"),
            Self::BadSignature => (401, "bad_signature"),
            Self::Stale => (401, "stale"),
            Self::Future => (401, "future"),
            Self::Invalid => (422, "invalid"),
            Self::UnexpectedEvent => (422, "unexpected_event"),
            Self::ReplayUrlRefused => (422, "replay_url_refused"),
            Self::SignatureReused => (422, "signature_reused"),
            Self::InProgress => (409, "in_progress"),
            Self::HandlerFailed => (500, "handler_failed"),
            Self::HandlerTimeout => (503, "handler_timeout"),
            Self::StoreUnavailable => (503, "store_unavailable"),
            Self::Busy => (503, "busy"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// As its code.
impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_as_documented() {
        let rows: Vec<_> = Verdict::ALL
            .iter()
            .map(|v| (v.status(), v.code(), v.body()))
            .collect();
        assert_eq!(
            rows,
            [
                (405, "method_not_allowed", "method_not_allowed"),
                (413, "body_too_large", "body_too_large"),
                (408, "body_timeout", "body_timeout"),
                (400, "malformed", "malformed"),
                (401, "unsigned", "unsigned"),
                (401, "bad_signature", "bad_signature"),
                (401, "stale", "stale"),
                (401, "future", "future"),
                (422, "signature_reused", "signature_reused"),
                (422, "invalid", "invalid"),
                (200, "ignored", "1"),
                (422, "unexpected_event", "unexpected_event"),
                (422, "replay_url_refused", "replay_url_refused"),
                (409, "in_progress", "in_progress"),
                (200, "duplicate", "1"),
                (200, "handled", "1"),
                (200, "discarded", "1"),
                (200, "accepted", "1"),
                (500, "handler_failed", "handler_failed"),
                (503, "handler_timeout", "handler_timeout"),
                (503, "store_unavailable", "store_unavailable"),
                (503, "busy", "busy"),
            ]
        );
    }
}
