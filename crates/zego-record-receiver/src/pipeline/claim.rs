//! Claims a delivery.

use std::time::Duration;

use tokio::time::Instant;
use zego_record_core::Verdict;

use crate::builder::StoreFailure;
use crate::receiver::Inner;
use crate::store::{Claim, ClaimOutcome, Lease, Settled, Settlement};
use crate::telemetry::Count;

/// If the claim has taken longer than this, the lease starts anew, so that it outlives the handler.
const SLOW_CLAIM: Duration = Duration::from_secs(1);

/// The right to run the handler.
pub(super) struct Claimed {
    /// `None` to run without deduplication.
    pub(super) lease: Option<Lease>,
    /// When the lease ends at the earliest, whatever time the request to the store has taken.
    pub(super) lease_ends: Instant,
}

/// Why the handler is not to run.
pub(super) struct NotClaimed {
    pub(super) verdict: Verdict,
    /// Whether the store may have granted the claim all the same.
    pub(super) may_be_granted: bool,
}

impl Inner {
    /// Claims a delivery, or returns why the handler is not to run.
    pub(super) async fn claim(&self, claim: &Claim) -> Result<Claimed, NotClaimed> {
        let claimed = self.ask_for_lease(claim).await;
        // Only now, since it may have become pending while the store was asked.
        if !self.pending.contains(&claim.key) {
            return claimed;
        }
        if let Ok(Claimed { lease: Some(_), .. }) = claimed {
            // The store can be reached again. Not using the lease would keep other processes waiting.
            let done = self.store.settle(claim, Settlement::Done);
            match done.await {
                Ok(_) => self.pending.remove(&claim.key),
                Err(error) => self.telemetry.store_failed(&error),
            }
        }
        Err(Verdict::Duplicate.into())
    }

    async fn ask_for_lease(&self, claim: &Claim) -> Result<Claimed, NotClaimed> {
        let (asked, begin) = (Instant::now(), self.config.clock.monotonic());
        let lease = match self.store.claim(claim).await {
            Ok(ClaimOutcome::Run(lease)) => lease,
            Ok(ClaimOutcome::Busy) => return Err(Verdict::InProgress.into()),
            Ok(ClaimOutcome::Done) => return Err(Verdict::Duplicate.into()),
            Ok(ClaimOutcome::Full) => return Err(Verdict::Busy.into()),
            Err(error) => {
                self.telemetry.store_failed(&error);
                return match self.config.store_failure {
                    StoreFailure::Reject => Err(NotClaimed {
                        verdict: Verdict::StoreUnavailable,
                        may_be_granted: error.is_transient(),
                    }),
                    StoreFailure::RunWithoutDeduplication => {
                        self.telemetry.count(Count::RunWithoutDeduplication, 1);
                        Ok(Claimed::new(None, Instant::now(), claim.lease))
                    }
                };
            }
        };
        if self.is_slow(begin) {
            self.extend(claim, lease).await
        } else {
            Ok(Claimed::new(Some(lease), asked, claim.lease))
        }
    }

    /// Lets a lease start anew that a slow claim has used up in part.
    async fn extend(&self, claim: &Claim, lease: Lease) -> Result<Claimed, NotClaimed> {
        let (asked, begin) = (Instant::now(), self.config.clock.monotonic());
        match self.store.settle(claim, Settlement::Extend).await {
            Ok(Settled::Applied) if !self.is_slow(begin) => {
                Ok(Claimed::new(Some(lease), asked, claim.lease))
            }
            Ok(Settled::Stale) => Err(Verdict::InProgress.into()),
            // A store that is this slow gives leases that may end before the handler does.
            Ok(Settled::Applied) | Err(_) => Err(NotClaimed {
                verdict: Verdict::StoreUnavailable,
                may_be_granted: true,
            }),
        }
    }

    /// Whether a request to the store that began then took too long for its lease to be good.
    fn is_slow(&self, begin: Duration) -> bool {
        self.config.clock.monotonic().saturating_sub(begin) > SLOW_CLAIM
    }
}

impl Claimed {
    fn new(lease: Option<Lease>, asked: Instant, length: Duration) -> Self {
        Self {
            lease,
            lease_ends: asked + length,
        }
    }
}

/// The store has answered, and granted nothing.
impl From<Verdict> for NotClaimed {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            may_be_granted: false,
        }
    }
}
