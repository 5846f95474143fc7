//! Why a request was rejected: one word for the sender, the whole reason for the operator.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::field::Field;
use crate::verdict::Verdict;

/// Why a request was rejected.
///
/// The [`verdict`](Self::verdict) decides what the sender sees: a status and one word. `Display` is for the
/// operator's log. It contains everything that helps to find the cause, but neither the callback secret nor
/// the signature that would have been right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection(Reason);

impl Rejection {
    /// The row of the table of verdicts.
    pub const fn verdict(&self) -> Verdict {
        match self.0 {
            Reason::MethodNotAllowed => Verdict::MethodNotAllowed,
            Reason::BodyTooLarge { .. } => Verdict::BodyTooLarge,
            Reason::BodyTimeout { .. } => Verdict::BodyTimeout,
            Reason::BodyIncomplete | Reason::Malformed(_) => Verdict::Malformed,
            Reason::Unsigned(_) => Verdict::Unsigned,
            Reason::BadSignature(_) => Verdict::BadSignature,
            Reason::Stale { .. } => Verdict::Stale,
            Reason::Future { .. } => Verdict::Future,
            Reason::Invalid(..) => Verdict::Invalid,
            Reason::UnexpectedEvent => Verdict::UnexpectedEvent,
            Reason::ReplayUrl(_) => Verdict::ReplayUrlRefused,
            Reason::SignatureReused => Verdict::SignatureReused,
        }
    }

    /// Whether the signature was right. A receiver puts such requests into quarantine, since they may
    /// be genuine recordings.
    pub const fn is_signed(&self) -> bool {
        match self.0 {
            Reason::MethodNotAllowed
            | Reason::BodyTooLarge { .. }
            | Reason::BodyTimeout { .. }
            | Reason::BodyIncomplete
            | Reason::Malformed(_)
            | Reason::Unsigned(_)
            | Reason::BadSignature(_) => false,
            Reason::Stale { .. }
            | Reason::Future { .. }
            | Reason::Invalid(..)
            | Reason::UnexpectedEvent
            | Reason::ReplayUrl(_)
            | Reason::SignatureReused => true,
        }
    }

    /// How many seconds the timestamp is behind (negative) or ahead of (positive) the receiver's clock;
    /// `None` unless that is why the request was rejected.
    pub const fn clock_offset(&self) -> Option<i64> {
        match self.0 {
            Reason::Stale { age, .. } => Some(age.saturating_neg()),
            Reason::Future { ahead, .. } => Some(ahead),
            _ => None,
        }
    }

    /// The request's method is not `POST`.
    pub const fn method_not_allowed() -> Self {
        Self(Reason::MethodNotAllowed)
    }

    /// The body is longer than `limit` bytes.
    pub const fn body_too_large(limit: usize) -> Self {
        Self(Reason::BodyTooLarge { limit })
    }

    /// The body was not complete after `deadline`.
    pub const fn body_timeout(deadline: Duration) -> Self {
        Self(Reason::BodyTimeout { deadline })
    }

    /// The connection failed before the body was complete.
    pub const fn body_incomplete() -> Self {
        Self(Reason::BodyIncomplete)
    }

    /// The event is not `record`, and the receiver rejects other events.
    pub const fn unexpected_event() -> Self {
        Self(Reason::UnexpectedEvent)
    }

    /// The signature was seen before with other content.
    pub const fn signature_reused() -> Self {
        Self(Reason::SignatureReused)
    }

    pub(crate) const fn new(reason: Reason) -> Self {
        Self(reason)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    MethodNotAllowed,
    BodyTooLarge { limit: usize },
    BodyTimeout { deadline: Duration },
    BodyIncomplete,
    Malformed(Malformed),
    Unsigned(Field),
    BadSignature(BadSignature),
    Stale { age: i64, tolerance: i64 },
    Future { ahead: i64, tolerance: i64 },
    Invalid(Field, Invalid),
    UnexpectedEvent,
    ReplayUrl(&'static str),
    SignatureReused,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    NotUtf8,
    Json { offset: usize },
    TooDeep,
    TooManyFields,
    BrokenEscape,
    Twice(Field),
    WrongType(Field),
    ControlCharacter(Field),
    TimestampSyntax,
    NonceSyntax,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadSignature {
    NotHex,
    AppidSpelling,
    NoSecretForAppid,
    NoMatch { tried: usize },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    Missing,
    NoInteger,
}

impl From<Malformed> for Rejection {
    fn from(malformed: Malformed) -> Self {
        Self(Reason::Malformed(malformed))
    }
}

impl Error for Rejection {}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::MethodNotAllowed => f.write_str("the method is not POST"),
            Reason::BodyTooLarge { limit } => write!(f, "the body is longer than the limit of {limit} bytes"),
            Reason::BodyTimeout { deadline } => {
                write!(f, "the body was not complete after {} ms", deadline.as_millis())
            }
            Reason::BodyIncomplete => f.write_str("the connection failed before the body was complete"),
            Reason::Malformed(malformed) => malformed.fmt(f),
            Reason::Unsigned(field) => write!(f, "the field {field} is absent or empty"),
            Reason::BadSignature(bad) => bad.fmt(f),
            Reason::Stale { age, tolerance } => write!(
                f,
                "the timestamp is {age} s old, {tolerance} s are allowed; if this repeats, compare this machine's clock with the true time"
            ),
            Reason::Future { ahead, tolerance } => write!(
                f,
                "the timestamp is {ahead} s ahead, {tolerance} s are allowed; if this repeats, compare this machine's clock with the true time"
            ),
            Reason::Invalid(field, Invalid::Missing) => {
                write!(f, "signed, but the field {field} is absent or empty")
            }
            Reason::Invalid(field, Invalid::NoInteger) => {
                write!(f, "signed, but the field {field} is no integer of 64 bits")
            }
            Reason::UnexpectedEvent => f.write_str("signed, but the event is not record"),
            Reason::ReplayUrl(why) => write!(f, "signed, but the replay_url is not allowed: {why}"),
            Reason::SignatureReused => f.write_str(
                "this signature was seen before with other content: either one of the two was forged by somebody who saw the other, or ZEGOCLOUD signed twice in one second with one nonce",
            ),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("the body is not valid UTF-8"),
            Self::Json { offset } => {
                write!(
                    f,
                    "the body is no single JSON object: error at byte {offset}"
                )
            }
            Self::TooDeep => f.write_str("the body is nested too deeply"),
            Self::TooManyFields => {
                f.write_str("the body has too many fields that are not documented")
            }
            Self::BrokenEscape => f.write_str("the body has a broken escape sequence"),
            Self::Twice(field) => write!(f, "the field {field} appears twice"),
            Self::WrongType(field) => {
                write!(f, "the field {field} is neither a string nor a number")
            }
            Self::ControlCharacter(field) => {
                write!(f, "the field {field} holds a control character")
            }
            Self::TimestampSyntax => f.write_str(
                "the timestamp is not exactly ten digits without a leading zero (Unix seconds)",
            ),
            Self::NonceSyntax => {
                f.write_str("the nonce is not 1 to 128 letters, digits, hyphens and underscores")
            }
        }
    }
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHex => f.write_str("the signature is not 40 hexadecimal digits"),
            Self::AppidSpelling => f.write_str(
                "the callback's appid is not a plain decimal number, so no secret that is bound to an appid applies",
            ),
            Self::NoSecretForAppid => {
                f.write_str("no secret is configured for the callback's appid")
            }
            Self::NoMatch { tried } => write!(
                f,
                "none of the secrets for this callback gives its signature ({tried} tried): check that the CallbackSecret of the right project is configured, and not its ServerSecret or AppSign"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, so that a reason without a row here is a reason that nobody has read.
    fn all() -> Vec<Rejection> {
        let malformed = [
            Malformed::NotUtf8,
            Malformed::Json { offset: 2 },
            Malformed::TooDeep,
            Malformed::TooManyFields,
            Malformed::BrokenEscape,
            Malformed::Twice(Field::Nonce),
            Malformed::WrongType(Field::Nonce),
            Malformed::ControlCharacter(Field::Nonce),
            Malformed::TimestampSyntax,
            Malformed::NonceSyntax,
        ];
        let bad_signatures = [
            BadSignature::NotHex,
            BadSignature::AppidSpelling,
            BadSignature::NoSecretForAppid,
            BadSignature::NoMatch { tried: 2 },
        ];
        let mut all = vec![
            Rejection::method_not_allowed(),
            Rejection::body_too_large(65_536),
            Rejection::body_timeout(Duration::from_secs(5)),
            Rejection::body_incomplete(),
            Rejection::new(Reason::Unsigned(Field::Signature)),
            Rejection::new(Reason::Stale {
                age: 301,
                tolerance: 300,
            }),
            Rejection::new(Reason::Future {
                ahead: 301,
                tolerance: 300,
            }),
            Rejection::new(Reason::Invalid(Field::Appid, Invalid::Missing)),
            Rejection::new(Reason::Invalid(Field::EndTime, Invalid::NoInteger)),
            Rejection::new(Reason::ReplayUrl("its host is an IP address")),
            Rejection::unexpected_event(),
            Rejection::signature_reused(),
        ];
        all.extend(malformed.map(Rejection::from));
        all.extend(bad_signatures.map(|bad| Rejection::new(Reason::BadSignature(bad))));
        all
    }

    #[test]
    fn every_description_fits_a_log_line() {
        for rejection in all() {
            let text = rejection.to_string();
            assert!(text.starts_with(char::is_lowercase), "{text}");
            assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
            assert!(rejection.source().is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_rejected_after_the_signature_counts_as_signed() {
        let mut signed: Vec<_> = all()
            .into_iter()
            .filter(Rejection::is_signed)
            .map(|rejection| rejection.verdict())
            .collect();
        signed.dedup();
        assert_eq!(
            signed,
            [
                Verdict::Stale,
                Verdict::Future,
                Verdict::Invalid,
                Verdict::ReplayUrlRefused,
                Verdict::UnexpectedEvent,
                Verdict::SignatureReused,
            ]
        );
    }
}
