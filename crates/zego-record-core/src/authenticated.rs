//! A body whose signature and time are right, and whose content nobody has checked yet.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use crate::callback::{Origin, OtherEvent, RecordCallback};
use crate::field::Field;
use crate::identity::DeliveryKey;
use crate::rejection::Rejection;
use crate::signature::Signature;
use crate::time::UnixSeconds;
use crate::wire::{Document, WireForm};

/// A body whose signature and timestamp are right, and whose content is not checked yet.
///
/// It is returned by [`Verifier::authenticate`](crate::Verifier::authenticate) and consumed by
/// [`Verifier::check_content`](crate::Verifier::check_content). In between, for replay protection, a
/// receiver binds the signature to the [`delivery_key`](Self::delivery_key), whatever the body says: the
/// signature does not cover the body, so the signature of another event, or of a recording that is
/// rejected, could otherwise be used again for a forged recording.
pub struct Authenticated<'a> {
    document: Document<'a>,
    origin: Origin,
    event: Option<String>,
    key: OnceLock<DeliveryKey>,
}

impl<'a> Authenticated<'a> {
    /// The signature, which identifies the signed request.
    pub fn signature(&self) -> Signature {
        self.origin.signature
    }

    /// ZEGOCLOUD's clock when it signed.
    pub fn timestamp(&self) -> UnixSeconds {
        self.origin.timestamp
    }

    /// The wire form of the body.
    pub fn wire_form(&self) -> WireForm {
        self.document.form()
    }

    /// The value of the field `event`; `None` if it is absent or empty.
    pub fn event(&self) -> Option<&str> {
        self.event.as_deref()
    }

    /// The delivery key, a digest of all fields except timestamp, nonce and signature. It is computed
    /// once, and passed on to the [`RecordCallback`](crate::RecordCallback).
    pub fn delivery_key(&self) -> DeliveryKey {
        *self
            .key
            .get_or_init(|| DeliveryKey::of_document(&self.document))
    }

    pub(crate) fn new(document: Document<'a>, origin: Origin) -> Self {
        let event = document.get(Field::Event).map(Cow::into_owned);
        Self {
            event: event.filter(|event| !event.is_empty()),
            document,
            origin,
            key: OnceLock::new(),
        }
    }

    pub(crate) fn into_record(self) -> Result<RecordCallback, Rejection> {
        RecordCallback::new(&self.document, self.origin, self.key)
    }

    pub(crate) fn into_other_event(self) -> OtherEvent {
        OtherEvent::new(self.event.unwrap_or_default(), &self.document)
    }
}

/// Does not show the fields, which may be long.
impl fmt::Debug for Authenticated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated")
            .field("wire_form", &self.wire_form())
            .field("event", &self.event())
            .finish_non_exhaustive()
    }
}
