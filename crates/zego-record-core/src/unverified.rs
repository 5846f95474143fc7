//! A body that was read, and whose origin nobody has checked yet.

use std::fmt;

use crate::field::Field;
use crate::rejection::{Malformed, Reason, Rejection};
use crate::signature::{self, Signature};
use crate::time::UnixSeconds;
use crate::wire::{self, Document, WireForm};

/// A body that was parsed but not verified: it may come from anybody.
///
/// It gives access only to the fields that take part in the signature check, for diagnosis. Everything
/// else comes out of [`Verifier::verify`](crate::Verifier::verify).
///
/// ```
/// use zego_record_core::{Unverified, WireForm};
///
/// let unverified = Unverified::read(br#"{"timestamp":1470820198,"nonce":"123412"}"#)?;
/// assert_eq!(unverified.wire_form(), WireForm::Json);
/// assert_eq!(unverified.timestamp(), Some("1470820198"));
/// assert_eq!(unverified.signature(), None);
/// # Ok::<(), zego_record_core::Rejection>(())
/// ```
pub struct Unverified<'a>(Document<'a>);

impl<'a> Unverified<'a> {
    /// Parses a body in any of the wire forms. The form is recognised from the body itself, since
    /// ZEGOCLOUD does not document a Content-Type.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::Verdict::Malformed) if the body cannot be parsed, or if two parsers could
    /// disagree about what it says.
    pub fn read(body: &'a [u8]) -> Result<Self, Rejection> {
        Ok(Self(wire::read(body)?))
    }

    /// The wire form of the body.
    pub fn wire_form(&self) -> WireForm {
        self.0.form()
    }

    /// The timestamp, exactly as it was sent.
    pub fn timestamp(&self) -> Option<&str> {
        self.0.signed(Field::Timestamp)
    }

    /// The nonce, exactly as it was sent.
    pub fn nonce(&self) -> Option<&str> {
        self.0.signed(Field::Nonce)
    }

    /// The signature, exactly as it was sent.
    pub fn signature(&self) -> Option<&str> {
        self.0.signed(Field::Signature)
    }

    /// The AppID that the body claims.
    pub fn appid(&self) -> Option<&str> {
        self.0.signed(Field::Appid)
    }

    /// The three parts of the signature in their strict syntax, as far as they can be judged without
    /// a secret.
    pub(crate) fn claims(&self) -> Result<Claims<'_>, Rejection> {
        let required = |field| {
            self.0
                .signed(field)
                .filter(|text| !text.is_empty())
                .ok_or(Rejection::new(Reason::Unsigned(field)))
        };
        let signature = required(Field::Signature)?;
        let timestamp = required(Field::Timestamp)?;
        let nonce = required(Field::Nonce)?;
        let seconds = signature::parse_timestamp(timestamp).ok_or(Malformed::TimestampSyntax)?;
        if !signature::is_nonce(nonce) {
            return Err(Malformed::NonceSyntax.into());
        }
        Ok(Claims {
            signature: Signature::from_hex(signature),
            timestamp,
            seconds,
            nonce,
        })
    }

    pub(crate) fn into_document(self) -> Document<'a> {
        self.0
    }
}

pub(crate) struct Claims<'a> {
    /// `None` if it is not 40 hexadecimal digits.
    pub(crate) signature: Option<Signature>,
    pub(crate) timestamp: &'a str,
    pub(crate) seconds: UnixSeconds,
    pub(crate) nonce: &'a str,
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified")
            .field("wire_form", &self.wire_form())
            .finish_non_exhaustive()
    }
}
