//! What a delivery store has to do.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use zego_record_core::DeliveryKey;

/// The futures that stores and guards return, boxed so that the traits can be used as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Remembers which deliveries are running, done or failed.
///
/// ```text
/// absent --claim--> running(owner, epoch, lease) --done--> done, until it expires
///                     |  ^   \--failed, by the owner--> failed --claim--> running(epoch + 1)
///                     |  \--claim after the lease ran out (epoch + 1)
///                     \--late owner: done --> done; failed --> nothing
/// ```
///
/// Everything that a receiver promises rests on two rules for an implementation:
///
/// * `claim` and `settle` are each **one atomic step in the store**, on the store's own clock. Whoever
///   reads first and writes then lets two handlers run at once.
/// * Once a delivery is done, no claim may answer anything else than [`Done`](ClaimOutcome::Done)
///   until it expires.
///
/// [`DeliveryRecord`](crate::DeliveryRecord) has the transitions as pure functions, and
/// `zego-record-testkit` has a conformance suite that every implementation should pass.
pub trait DeliveryStore: fmt::Debug + Send + Sync {
    /// Asks for the right to run the handler.
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>>;

    /// Says what became of a claim that was answered with [`Run`](ClaimOutcome::Run).
    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>>;

    /// Removes what has expired, and says how many deliveries that were. A receiver never calls it: a
    /// store either does without or wants to be called now and then.
    fn purge(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// How long a finished delivery is kept unless the receiver is told otherwise.
    fn default_retention(&self) -> Duration;

    /// How many finished deliveries had to go before they expired, since there was no room.
    fn evictions(&self) -> u64 {
        0
    }
}

/// For a store that others hold as well.
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

    fn purge(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        (**self).purge()
    }

    fn default_retention(&self) -> Duration {
        (**self).default_retention()
    }

    fn evictions(&self) -> u64 {
        (**self).evictions()
    }
}

/// A wish to run the handler for a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What makes two callbacks the same delivery.
    pub key: DeliveryKey,
    /// The recorded file, which several deliveries may be about: the store says in
    /// [`Lease::changed`] whether it knows another one.
    pub event_id: String,
    /// Who claims.
    pub owner: Owner,
    /// How long the owner may stay silent before somebody else may run the handler.
    pub lease: Duration,
    /// How long the delivery is kept after it is done or failed.
    pub retention: Duration,
}

/// One attempt to handle one delivery, unique among all receivers that share a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(u128);

impl Owner {
    /// The owner with this number.
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u128 {
        self.0
    }
}

/// The answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Run the handler. A claim that is repeated by the same owner, because the first answer was lost,
    /// is answered so too.
    Run(Lease),
    /// Somebody else runs the handler.
    Busy,
    /// The delivery is done.
    Done,
    /// The store has room for nothing but what is running.
    Full,
}

/// The right to run the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The how manieth run of this delivery it is, from 1.
    pub epoch: u32,
    /// Whether the store knows another delivery about the same recorded file.
    pub changed: bool,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The effect is done. It is true whoever says so, also after the lease was lost.
    Done,
    /// It has failed and may be tried again. Only the owner that still has the lease can say so.
    Failed,
    /// The handler runs on: the lease starts anew. Only the owner that still has it can say so.
    Extend,
}

/// The answer to a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is written.
    Applied,
    /// Another owner has the delivery, or it is done; nothing was changed.
    Stale,
}

/// Why a store or a guard could not answer.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of trouble a store is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// It cannot be reached, or has turned the request down; trying again may help.
    Unavailable,
    /// It did not answer in time; whether it has done what was asked is unknown.
    Timeout,
    /// It holds something that it did not write.
    Corrupt,
    /// It is set up wrongly: a table is missing, a permission, a version.
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

    /// What kind of trouble it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether the same request may succeed a moment later.
    pub(crate) fn is_passing(&self) -> bool {
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

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the store cannot be reached",
            StoreErrorKind::Timeout => "the store did not answer in time",
            StoreErrorKind::Corrupt => "the store holds something that it did not write",
            StoreErrorKind::Config => "the store is set up wrongly",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
