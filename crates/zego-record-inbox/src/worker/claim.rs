//! Claims what is due. What a store hands out too late is given back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use zego_record_receiver::support::{call, catch};
use zego_record_receiver::{Owner, StoreError, StoreErrorKind};

use super::Inner;
use crate::store::{ClaimDue, Claimed, Next, Note, RunEnded};

/// In one claim: more, and a store might not hand them out within its timeout.
pub(super) const CLAIM_AT_ONCE: usize = 256;

impl Inner {
    /// Claims as much as there are free places for, never more. Returns with it when its leases end at the
    /// earliest.
    pub(super) async fn claim(
        self: &Arc<Self>,
        free: usize,
    ) -> Result<(Vec<Claimed>, Instant), StoreError> {
        let allowed = catch(|| (self.claim_limit)()).unwrap_or_default();
        let limit = u32::try_from(free.min(allowed)).unwrap_or(u32::MAX);
        let asked = Instant::now();
        if limit == 0 {
            return Ok((Vec::new(), asked));
        }
        let request = ClaimDue::new(Owner::random()?, self.lease, limit);
        let (sender, mut receiver) = oneshot::channel();
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let claimed = call(inner.lease, || inner.store.claim_due(&request)).await;
            if let Err(Ok(late)) = sender.send(claimed) {
                inner.give_back(&late).await;
            }
        });
        let wait = async { (&mut receiver).await.unwrap_or_else(|_| Err(gone())) };
        let mut answer = call(self.store_timeout, || Box::pin(wait)).await;
        if answer.is_err() {
            receiver.close();
            // It may have come just now.
            answer = receiver.try_recv().unwrap_or(answer);
        }
        Ok((answer?, asked + self.lease))
    }

    /// Otherwise each of them would have spent an attempt, and be kept from others until its lease ends: a
    /// slow store alone would make dead letters of callbacks that no handler has ever seen.
    async fn give_back(&self, late: &[Claimed]) {
        let note = Note::new("the store answered too late, and the handler was not run");
        let ended = RunEnded::new(Next::Release(Duration::ZERO), note);
        for claimed in late {
            let settled = call(self.store_timeout, || {
                self.store.settle(&claimed.hold, &ended)
            });
            if let Err(error) = settled.await {
                self.telemetry.store_failed("settle", &error);
            }
        }
    }
}

fn gone() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the claim was cancelled")
}
