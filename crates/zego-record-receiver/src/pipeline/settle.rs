//! Records the outcome of a run.

use std::time::Duration;

use zego_record_core::Verdict;

use crate::concurrency::Permit;
use crate::receiver::Receiver;
use crate::store::{Claim, Settlement};

/// How often it is tried in the background to record that a delivery is done; each pause is twice as
/// long as the one before, two minutes in total.
const TRIES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

impl Receiver {
    pub(super) async fn settle(&self, claim: Claim, verdict: Verdict, permit: Permit) {
        let inner = &*self.0;
        let pending = verdict
            .is_success()
            .then(|| inner.pending.insert(claim.key));
        let settlement = match &pending {
            Some(_) => Settlement::Done,
            None => Settlement::Failed,
        };
        let Err(error) = inner.store.settle(&claim, settlement).await else {
            return;
        };
        inner.telemetry.store_failed(&error);
        if let Some(pending) = pending {
            // The effect is done and will be answered with `1`. As long as that is not recorded, a retry
            // could run the handler a second time in another process.
            let receiver = self.clone();
            tokio::spawn(async move {
                receiver.record_completion(&claim, permit).await;
                // A claim that the store granted before may still be on its way back to us.
                tokio::time::sleep(receiver.0.store.patience()).await;
                drop(pending);
            });
        }
    }

    /// Keeps its permit, so that a shutdown waits for it and a store that is gone slows us down.
    async fn record_completion(&self, claim: &Claim, _permit: Permit) {
        let inner = &*self.0;
        for attempt in 0..TRIES {
            let pause = FIRST_PAUSE * 2_u32.pow(attempt);
            let aborted = tokio::time::timeout(pause, inner.concurrency.aborted());
            if aborted.await.is_ok() {
                break;
            }
            if inner.store.settle(claim, Settlement::Done).await.is_ok() {
                return;
            }
        }
        inner.telemetry.completion_given_up();
    }
}
