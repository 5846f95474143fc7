//! What a delivery store is asked to do.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use zego_record_core::DeliveryKey;

use super::owner::Owner;
use crate::panics::catch;

/// The futures that stores and guards return, boxed so that the traits can be used as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Remembers which deliveries are running, done or failed: deduplication by delivery key, the
/// idempotency key of a callback.
///
/// ```text
/// absent --claim--> running(owner, epoch, lease) --done--> done, until it expires
///                     |  ^   \--failed, by the owner--> failed --claim--> running(epoch + 1)
///                     |  \--claim after the lease ran out (epoch + 1)
///                     \--late owner: done --> done; failed --> nothing
/// ```
///
/// Every promise of a receiver rests on two rules for an implementation:
///
/// * `claim` and `settle` are each **one atomic step in the store**, on the store's own clock. A store
///   that reads first and writes later lets two handlers run at once.
/// * Once a delivery is done, every claim returns [`Done`](ClaimOutcome::Done) until it expires.
///
/// [`DeliveryRecord`](crate::DeliveryRecord) has the transitions as pure functions, and
/// `zego-record-testkit` has a conformance suite that every implementation should pass.
///
/// A store that panics is treated as unavailable.
pub trait DeliveryStore: fmt::Debug + Send + Sync {
    /// Asks for the right to run the handler.
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>>;

    /// Records the outcome of a claim that returned [`Run`](ClaimOutcome::Run).
    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>>;

    /// Removes deliveries that have expired, `limit` at most, and returns how many it removed. A
    /// delivery that is running is never removed before its lease has ended. The receiver calls it
    /// about once a minute, and again at once as long as it returns `limit`.
    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// How long a finished delivery is kept unless the receiver is configured otherwise.
    fn default_retention(&self) -> Duration;

    /// How many finished deliveries were removed before they expired, for lack of room.
    fn evictions(&self) -> u64;
}

/// A shared store.
impl<T: DeliveryStore + ?Sized> DeliveryStore for Arc<T> {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        (**self).claim(claim)
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        (**self).settle(claim, settlement)
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        (**self).purge(limit)
    }

    fn default_retention(&self) -> Duration {
        (**self).default_retention()
    }

    fn evictions(&self) -> u64 {
        (**self).evictions()
    }
}

/// A request to run the handler for a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// Which delivery.
    pub key: DeliveryKey,
    /// The recorded file. Several deliveries may be about one file: the store returns in
    /// [`Lease::changed`] whether it knows another one.
    pub event_id: String,
    /// Who claims.
    pub owner: Owner,
    /// How long the owner may be silent before another one may run the handler.
    pub lease: Duration,
    /// How long the delivery is kept once it is done or failed.
    pub retention: Duration,
}

impl Claim {
    /// A claim with a lease of 10 seconds and a retention of 24 hours.
    pub fn new(key: DeliveryKey, event_id: impl Into<String>, owner: Owner) -> Self {
        Self {
            key,
            event_id: event_id.into(),
            owner,
            lease: Duration::from_secs(10),
            retention: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// The same claim with another lease.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The same claim with another retention.
    #[must_use]
    pub fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }
}

/// The result of a claim. Exhaustive by decision: a receiver must handle each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Run the handler. A claim that the same owner repeats, since the first result was lost, returns
    /// this again.
    Run(Lease),
    /// Another owner runs the handler.
    Busy,
    /// The delivery is done.
    Done,
    /// The store is full of deliveries that are running.
    Full,
}

/// The right to run the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// Which run of this delivery's handler it is, from 1.
    pub epoch: u32,
    /// Whether the store knows another delivery about the same recorded file.
    pub changed: bool,
}

impl Lease {
    /// A lease for this run.
    pub const fn new(epoch: u32, changed: bool) -> Self {
        Self { epoch, changed }
    }
}

/// The outcome of a claim, for [`DeliveryStore::settle`]. Exhaustive by decision: a store must know
/// each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The effect is done. Every owner may record this, also one that has lost its lease.
    Done,
    /// The handler has failed and may be run again. Only the owner that holds the lease can record it.
    Failed,
    /// The handler is still running: the lease starts anew. Only the owner that holds it can do so.
    Extend,
}

/// The result of a settlement. Exhaustive by decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is recorded.
    Applied,
    /// Another owner has the delivery, or it is done already; nothing was changed.
    Stale,
}

/// Why a store or a guard has failed.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure a [`StoreError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// It cannot be reached, or has rejected the request; trying again may help.
    Unavailable,
    /// It did not answer in time; whether the request was carried out is unknown.
    Timeout,
    /// It holds something that it did not write.
    Corrupt,
    /// It is configured wrongly: a table or a permission is missing, or a version does not fit.
    Config,
}

impl StoreError {
    /// An error with what has caused it.
    pub fn new(kind: StoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether the same request may succeed a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            StoreErrorKind::Unavailable | StoreErrorKind::Timeout
        )
    }

    pub(crate) fn timeout() -> Self {
        Self {
            kind: StoreErrorKind::Timeout,
            source: None,
        }
    }
}

/// What has caused it is the store's, and may panic when it is dropped.
impl Drop for StoreError {
    fn drop(&mut self) {
        let source = self.source.take();
        let _ = catch(|| drop(source));
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the store cannot be reached",
            StoreErrorKind::Timeout => "the store did not answer in time",
            StoreErrorKind::Corrupt => "the store holds something that it did not write",
            StoreErrorKind::Config => "the store is configured wrongly",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
