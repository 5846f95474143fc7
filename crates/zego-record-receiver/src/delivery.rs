//! What a handler gets, and what it returns.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zego_record_core::{DeliveryKey, RecordCallback};

use crate::panics::catch;

/// How many causes of an error are displayed; one that is its own cause has no end.
const MAX_CAUSES: usize = 16;

/// A callback and the circumstances of this run of the handler.
///
/// A handler that needs only the callback takes a [`RecordCallback`] instead.
#[derive(Clone, Debug)]
pub struct Delivery {
    callback: RecordCallback,
    attempt: u32,
    changed: bool,
    deduplicated: bool,
}

impl Delivery {
    /// The first attempt to handle a callback, for unit tests of handlers.
    pub fn new(callback: RecordCallback) -> Self {
        Self {
            callback,
            attempt: 1,
            changed: false,
            deduplicated: true,
        }
    }

    /// Sets [`attempt`](Self::attempt), for unit tests.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Sets [`is_changed`](Self::is_changed), for unit tests.
    #[must_use]
    pub fn with_changed(mut self, changed: bool) -> Self {
        self.changed = changed;
        self
    }

    /// Sets [`is_deduplicated`](Self::is_deduplicated), for unit tests.
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
    kind: HandlerErrorKind,
}

/// What is to happen after a [`HandlerError`].
///
/// Without an inbox there is no schedule but ZEGOCLOUD's: everything but
/// [`Discard`](Self::Discard) is answered with `500` then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandlerErrorKind {
    /// The handler is run again, by the schedule.
    Retry,
    /// The handler is run again after this time, in place of what the schedule says.
    RetryAfter(Duration),
    /// The handler is run again after this time, and this run does not count as an attempt.
    Postpone(Duration),
    /// The callback goes to the dead letters at once.
    DeadLetter,
    /// The callback is done without an effect.
    Discard,
}

impl HandlerError {
    /// A failure that may be transient: the handler is run again. Without an inbox it is answered with
    /// `500`, and ZEGOCLOUD tries again.
    pub fn retry(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(HandlerErrorKind::Retry, reason)
    }

    /// As [`retry`](Self::retry), after `delay` in place of what the schedule of the inbox says, for
    /// example because another service has asked for it with `Retry-After`. The attempt counts all the
    /// same.
    pub fn retry_after(delay: Duration, reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(HandlerErrorKind::RetryAfter(delay), reason)
    }

    /// This callback is not at fault, for example because a service that every callback needs is down:
    /// the inbox runs the handler again after `delay` and does not count this attempt.
    pub fn postpone(delay: Duration, reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(HandlerErrorKind::Postpone(delay), reason)
    }

    /// Trying again is of no use and a person has to look: the inbox keeps the callback as a dead letter.
    pub fn dead_letter(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(HandlerErrorKind::DeadLetter, reason)
    }

    /// The handler does not want this callback, now or later: it is done, and without an inbox answered
    /// with `1`, so that ZEGOCLOUD does not send it again.
    pub fn discard(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(HandlerErrorKind::Discard, reason)
    }

    fn new(kind: HandlerErrorKind, reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: reason.into().into(),
            kind,
        }
    }

    /// What is to happen.
    pub fn kind(&self) -> HandlerErrorKind {
        self.kind
    }

    /// Whether it was created by [`discard`](Self::discard).
    pub fn is_discard(&self) -> bool {
        self.kind == HandlerErrorKind::Discard
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
    /// The reason and all its causes as text, also if a `Display` of one of them panics: a log must not
    /// take the delivery with it.
    pub fn describe(&self) -> String {
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
        write!(f, "HandlerError({:?}: {self})", self.kind)
    }
}
