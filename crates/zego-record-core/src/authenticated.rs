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

/// A body that is signed and fresh, whatever it says.
///
/// [`Verifier::authenticate`](crate::Verifier::authenticate) makes one, and
/// [`Verifier::check_content`](crate::Verifier::check_content) takes it. A receiver binds its signature
/// to its content in between: the signature does not cover the body, and one that came with a rejected
/// recording, or with another event, must not carry a forged recording afterwards.
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

    /// The form in which it came.
    pub fn wire_form(&self) -> WireForm {
        self.document.form()
    }

    /// Which event it is about; `None` if it is absent or empty.
    pub fn event(&self) -> Option<&str> {
        self.event.as_deref()
    }

    /// A digest of all that it says, except what belongs to the signature: the key of the delivery, if
    /// it is one. See [`DeliveryKey`]. It is computed once, and passed on to the
    /// [`RecordCallback`](crate::RecordCallback).
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

/// Without what it says, which may be long.
impl fmt::Debug for Authenticated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated")
            .field("wire_form", &self.wire_form())
            .field("event", &self.event())
            .finish_non_exhaustive()
    }
}
