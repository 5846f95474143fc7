//! What a handler gets, and what it returns.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use zego_record_core::{DeliveryKey, RecordCallback};

use crate::panics::catch;

/// How many causes of an error are displayed; one that is its own cause has no end.
const MAX_CAUSES: usize = 16;

/// A callback and the circumstances of this run of the handler.
///
/// A handler that does not need them takes a [`RecordCallback`] instead: a delivery converts into one.
#[derive(Clone, Debug)]
pub struct Delivery {
    callback: RecordCallback,
    attempt: u32,
    changed: bool,
    deduplicated: bool,
}

impl Delivery {
    /// The first run for a callback, as unit tests of handlers need it. A receiver makes all others.
    pub fn new(callback: RecordCallback) -> Self {
        Self {
            callback,
            attempt: 1,
            changed: false,
            deduplicated: true,
        }
    }

    /// The same delivery as another [`attempt`](Self::attempt).
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The same delivery with another [`is_changed`](Self::is_changed).
    #[must_use]
    pub fn with_changed(mut self, changed: bool) -> Self {
        self.changed = changed;
        self
    }

    /// The same delivery with another [`is_deduplicated`](Self::is_deduplicated).
    #[must_use]
    pub fn with_deduplicated(mut self, deduplicated: bool) -> Self {
        self.deduplicated = deduplicated;
        self
    }

    /// The verified callback.
    pub fn callback(&self) -> &RecordCallback {
        &self.callback
    }

    /// The delivery key: the idempotency key of the callback. Put a unique column on it.
    pub fn key(&self) -> DeliveryKey {
        self.callback.delivery_key()
    }

    /// Which run of the handler for this delivery this is, from 1. From 2 on, an earlier run has failed,
    /// timed out, or was interrupted by a crash, possibly after its effect.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether another delivery about the same recorded file, with other content, is known. Either
    /// ZEGOCLOUD has corrected itself or one of the two is forged: keep both, and let a person or a
    /// look at the recording itself decide.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Whether the store was reached. If not, this may be a duplicate, even of a handler that is still
    /// running; that happens only with
    /// [`StoreFailure::RunWithoutDeduplication`](crate::StoreFailure::RunWithoutDeduplication).
    pub fn is_deduplicated(&self) -> bool {
        self.deduplicated
    }
}

impl From<Delivery> for RecordCallback {
    fn from(delivery: Delivery) -> Self {
        delivery.callback
    }
}

/// Why a handler did not succeed. `?` converts any error into one, and ZEGOCLOUD then tries again.
///
/// ```
/// use zego_record_receiver::HandlerError;
///
/// fn store(row: &str) -> Result<(), HandlerError> {
///     let size: u64 = row.parse()?; // tried again
///     if size == 0 {
///         return Err(HandlerError::discard("an empty recording")); // never again
///     }
///     Ok(())
/// }
/// # assert!(!store("x").unwrap_err().is_discard());
/// # assert!(store("0").unwrap_err().is_discard());
/// ```
///
/// Cloning is cheap.
#[derive(Clone)]
pub struct HandlerError {
    source: Arc<dyn Error + Send + Sync>,
    discard: bool,
}

impl HandlerError {
    /// A failure that may be transient: it is answered with `500`, and ZEGOCLOUD tries again.
    pub fn retry(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: reason.into().into(),
            discard: false,
        }
    }

    /// The handler will never want this callback: it is answered with `1`, so that it does not come
    /// again.
    pub fn discard(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: reason.into().into(),
            discard: true,
        }
    }

    /// Whether it was created by [`discard`](Self::discard).
    pub fn is_discard(&self) -> bool {
        self.discard
    }

    /// The reason that was given.
    pub fn reason(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.source
    }
}

/// `HandlerError` is no `Error` itself: it could not be converted from every error then.
impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

impl HandlerError {
    /// The text for a log. An error whose `Display` panics must not take the delivery with it.
    pub(crate) fn describe(&self) -> String {
        catch(|| self.to_string()).unwrap_or_else(|| "an error that cannot be displayed".to_owned())
    }
}

/// The reason and all its causes, in one line.
impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        let mut cause = self.source.source();
        for _ in 0..MAX_CAUSES {
            let Some(error) = cause else { break };
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.discard { "discard" } else { "retry" };
        write!(f, "HandlerError({kind}: {self})")
    }
}
