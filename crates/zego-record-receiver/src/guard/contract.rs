//! What a replay guard is asked to do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::store::{BoxFuture, StoreError};

/// Remembers which content a signature came with: replay protection for callbacks whose signature does
/// not cover the body.
///
/// Without a guard, anyone who has seen one signed request can send any other content under the same
/// signature while it is fresh. The same content may come again, since a retry may carry the same
/// signature.
///
/// `bind` must be **one atomic step in the guard**: of two requests under one signature, at most one is
/// [`First`](Binding::First). A guard that panics is treated as unavailable.
pub trait ReplayGuard: fmt::Debug + Send + Sync {
    /// Binds the signature to the content, unless it is bound already. A binding is kept for
    /// [`keep_for`](ReplayCheck::keep_for) on the guard's own clock, and a later request does not
    /// prolong it.
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>>;

    /// Removes bindings that have expired, `limit` at most, and returns how many it removed. The
    /// receiver calls it about once a minute, and again at once as long as it returns `limit`.
    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// How many bindings were removed before they expired, for lack of room.
    fn evictions(&self) -> u64;

    /// Whether it can never fail, since it is in the memory of this process. A receiver asks a guard of its
    /// own along with every other one, to fall back to.
    fn is_infallible(&self) -> bool {
        false
    }
}

/// A shared guard.
impl<T: ReplayGuard + ?Sized> ReplayGuard for Arc<T> {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        (**self).bind(check)
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        (**self).purge(limit)
    }

    fn evictions(&self) -> u64 {
        (**self).evictions()
    }

    fn is_infallible(&self) -> bool {
        (**self).is_infallible()
    }
}

/// An authenticated request, as a guard sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayCheck {
    /// The 20 bytes of the signature.
    pub signature: [u8; 20],
    /// A digest of the content.
    pub content: [u8; 16],
    /// How long the binding is kept.
    pub keep_for: Duration,
}

impl ReplayCheck {
    /// A check of this signature with this content.
    pub const fn new(signature: [u8; 20], content: [u8; 16], keep_for: Duration) -> Self {
        Self {
            signature,
            content,
            keep_for,
        }
    }
}

/// Without the signature: whoever reads one can send any body under it.
impl fmt::Debug for ReplayCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayCheck")
            .field("keep_for", &self.keep_for)
            .finish_non_exhaustive()
    }
}

/// The result of a [`ReplayCheck`]. Exhaustive by decision: a receiver must handle each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The signature was not seen before; it is now bound to the content.
    First,
    /// It was seen with the same content.
    Same,
    /// It was seen with other content.
    Conflict,
}
