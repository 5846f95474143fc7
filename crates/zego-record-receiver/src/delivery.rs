//! What a handler gets, and what it gives back.

use std::error::Error;
use std::fmt;

use zego_record_core::RecordCallback;

/// A callback together with the circumstances of this run of the handler.
///
/// A handler that does not care takes a [`RecordCallback`] instead: a delivery turns into one.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub(crate) callback: RecordCallback,
    pub(crate) attempt: u32,
    pub(crate) changed: bool,
    pub(crate) unguarded: bool,
}

impl Delivery {
    /// The verified callback.
    pub fn callback(&self) -> &RecordCallback {
        &self.callback
    }

    /// The how manieth run of the handler for this delivery it is, from 1. From 2 on, a run before has
    /// failed, timed out, or was cut off by a crash that may have come after its effect.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether another delivery about the same recorded file, with other content, is known: ZEGOCLOUD
    /// has changed its mind, or one of the two is forged.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Whether the delivery store could not be reached, so that this may be a duplicate. Happens only
    /// with [`StoreFailure::RunWithoutDeduplication`](crate::StoreFailure::RunWithoutDeduplication).
    pub fn is_deduplicated(&self) -> bool {
        self.unguarded
    }
}

impl From<Delivery> for RecordCallback {
    fn from(delivery: Delivery) -> Self {
        delivery.callback
    }
}

/// Why a handler did not succeed. Any error turns into one with `?`; ZEGOCLOUD then tries again.
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
pub struct HandlerError {
    source: Box<dyn Error + Send + Sync>,
    discard: bool,
}

impl HandlerError {
    /// A failure that may pass: it is answered `500`, and ZEGOCLOUD tries again.
    pub fn retry(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: reason.into(),
            discard: false,
        }
    }

    /// The handler will never want this callback: it is answered `1`, so that it does not come again.
    pub fn discard(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: reason.into(),
            discard: true,
        }
    }

    /// Whether it was made by [`discard`](Self::discard).
    pub fn is_discard(&self) -> bool {
        self.discard
    }

    /// What was given as the reason.
    pub fn reason(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.source
    }
}

/// Not an `Error` itself: it could not be made from every error then.
impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

/// The reason and all that has caused it, in one line.
impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        let mut cause = self.source.source();
        while let Some(error) = cause {
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
