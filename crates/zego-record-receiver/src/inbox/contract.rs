//! What the receiving side of an inbox is asked to do.

use std::sync::Arc;

use zego_record_core::{DeliveryKey, RecordCallback};

use crate::guard::{ReplayCheck, ReplayGuard};
use crate::store::{BoxFuture, StoreError};

/// Commits verified callbacks, to be handled later: the receiving side of an inbox.
///
/// `zego-record-inbox` has the other side, and `zego-record-sqlite` and `zego-record-postgres` implement
/// both. The rules for an implementation:
///
/// * When `accept` returns [`New`](Accepted::New) or [`Known`](Accepted::Known), the callback is **on
///   disk**: the receiver answers with `1`, and ZEGOCLOUD forgets the callback.
/// * `accept` is **one transaction**. A replay check that is a conflict commits nothing, and a callback
///   that cannot be committed binds no signature.
/// * It may be called again for the same callback, since the result of a commit may be lost.
///
/// An inbox that panics counts as one that is unavailable.
pub trait Accept: ReplayGuard {
    /// Binds the signature to the content, if a replay check is given, and stores the callback unless it
    /// is known.
    fn accept<'a>(
        &'a self,
        callback: &'a NewCallback,
    ) -> BoxFuture<'a, Result<Accepted, StoreError>>;
}

/// For an inbox that others hold as well.
impl<T: Accept + ?Sized> Accept for Arc<T> {
    fn accept<'a>(
        &'a self,
        callback: &'a NewCallback,
    ) -> BoxFuture<'a, Result<Accepted, StoreError>> {
        (**self).accept(callback)
    }
}

/// A verified callback on its way into an inbox.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewCallback {
    /// Its delivery key, under which it is stored once.
    pub key: DeliveryKey,
    /// The recorded file, see [`RecordCallback::event_id`].
    pub event_id: String,
    /// The AppID, to filter by.
    pub appid: String,
    /// The stream, to filter by.
    pub stream_alias: String,
    /// The callback, see [`RecordCallback::to_stored`].
    pub stored: Vec<u8>,
    /// What is to be bound in the same transaction; `None` if replays are not rejected.
    pub replay: Option<ReplayCheck>,
}

impl NewCallback {
    /// What is stored of a callback, without a replay check.
    pub fn new(callback: &RecordCallback) -> Self {
        Self {
            key: callback.delivery_key(),
            event_id: callback.event_id(),
            appid: callback.appid().to_owned(),
            stream_alias: callback.stream_alias().to_owned(),
            stored: callback.to_stored(),
            replay: None,
        }
    }

    /// The same with a replay check.
    #[must_use]
    pub fn with_replay_check(mut self, check: ReplayCheck) -> Self {
        self.replay = Some(check);
        self
    }
}

/// The result of [`Accept::accept`]. Exhaustive by decision: a receiver must have an answer to each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It was not known, and is committed.
    New,
    /// It was committed before, or a receiver without an inbox has handled it in the same database.
    Known,
    /// A receiver without an inbox is handling it, in the same database. Nothing is committed.
    Running,
    /// The signature is bound to other content. Nothing is committed.
    Conflict,
}
