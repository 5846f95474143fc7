//! Records the outcome of a run, or that there was none.

use std::time::Duration;

use tokio::time::Instant;
use zego_record_core::Verdict;

use crate::concurrency::Permit;
use crate::receiver::Receiver;
use crate::store::{Claim, Settlement};

/// How often it is tried in the background to record that a delivery is done; each pause is twice as
/// long as the one before, two minutes in total.
const TRIES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// If a settlement has taken longer than this, the lease may have ended meanwhile.
const SLOW_SETTLEMENT: Duration = Duration::from_millis(100);

impl Receiver {
    pub(super) async fn settle(&self, claim: Claim, verdict: Verdict, permit: Permit) {
        let inner = &*self.0;
        if !verdict.is_success() {
            if let Err(error) = inner.store.settle(&claim, Settlement::Failed).await {
                inner.telemetry.store_failed(&error);
            }
            return;
        }
        inner.pending.insert(claim.key);
        let began = Instant::now();
        match inner.store.settle(&claim, Settlement::Done).await {
            Ok(_) if began.elapsed() < SLOW_SETTLEMENT => inner.pending.remove(&claim.key),
            Ok(_) => self.forget_later(claim, None),
            Err(error) => {
                inner.telemetry.store_failed(&error);
                self.forget_later(claim, Some(permit));
            }
        }
    }

    /// Gives back, in the background, what the store may have granted before it stopped answering: until
    /// the lease ended, every retry would be answered `in_progress`. The owner is that of this claim
    /// alone, so nobody else loses a lease by it. What cannot be given back ends by itself.
    pub(super) fn give_back(&self, claim: Claim, permit: Permit) {
        let receiver = self.clone();
        tokio::spawn(async move {
            let inner = &*receiver.0;
            if let Err(error) = inner.store.settle(&claim, Settlement::Failed).await {
                inner.telemetry.store_failed(&error);
            }
            drop(permit);
        });
    }

    /// Ends what is pending, after it was recorded if there is a permit to do so.
    ///
    /// The effect is done and answered with `1`. As long as that is not recorded, a retry could run the
    /// handler a second time in another process.
    fn forget_later(&self, claim: Claim, permit: Option<Permit>) {
        let receiver = self.clone();
        tokio::spawn(async move {
            if let Some(permit) = permit {
                receiver.record_completion(&claim, permit).await;
            }
            // A claim that the store granted before may still be on its way back to us.
            tokio::time::sleep(receiver.0.store.patience()).await;
            receiver.0.pending.remove(&claim.key);
        });
    }

    /// Keeps its permit, so that a shutdown waits for it and a store that is gone slows us down.
    async fn record_completion(&self, claim: &Claim, _permit: Permit) {
        let inner = &*self.0;
        for attempt in 0..TRIES {
            let pause = FIRST_PAUSE * 2_u32.pow(attempt);
            let aborted = tokio::time::timeout(pause, inner.concurrency.aborted()).await;
            // Also when a shutdown has waited long enough: it gives the store as much time as this takes.
            if inner.store.settle(claim, Settlement::Done).await.is_ok() {
                return;
            }
            if aborted.is_ok() {
                break;
            }
        }
        inner.telemetry.completion_given_up();
    }
}
