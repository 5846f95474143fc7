//! The traits of the inbox, as steps for the threads.

use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_inbox::{
    Arrivals, ClaimDue, Claimed, Details, Entry, Filter, Hold, InboxStore, Next, RunEnded, Stats,
};
use zego_record_receiver::{Accept, Accepted, BoxFuture, NewCallback, Settled, StoreError};

use super::operations::Operation;
use crate::SqliteStore;

impl Accept for SqliteStore {
    fn accept<'a>(
        &'a self,
        callback: &'a NewCallback,
    ) -> BoxFuture<'a, Result<Accepted, StoreError>> {
        let (callback, arrivals) = (callback.clone(), self.arrivals.clone());
        let notify = move |accepted: &Accepted| {
            if *accepted == Accepted::New {
                arrivals.notify();
            }
        };
        self.step_then(move |step| step.accept(&callback), notify)
    }
}

impl InboxStore for SqliteStore {
    fn claim_due<'a>(
        &'a self,
        claim: &'a ClaimDue,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, StoreError>> {
        let claim = *claim;
        self.step(move |step| step.claim_due(&claim))
    }

    fn extend<'a>(
        &'a self,
        hold: &'a Hold,
        lease: Duration,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let hold = *hold;
        self.step(move |step| step.extend(&hold, lease))
    }

    fn settle<'a>(
        &'a self,
        hold: &'a Hold,
        ended: &'a RunEnded,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let (hold, ended) = (*hold, ended.clone());
        let is_due =
            matches!(ended.next, Next::Retry(delay) | Next::Release(delay) if delay.is_zero());
        let arrivals = self.arrivals.clone();
        let notify = move |_: &Settled| {
            if is_due {
                arrivals.notify();
            }
        };
        self.step_then(move |step| step.settle_run(&hold, &ended), notify)
    }

    fn get<'a>(
        &'a self,
        key: &'a DeliveryKey,
    ) -> BoxFuture<'a, Result<Option<Details>, StoreError>> {
        let key = *key;
        self.read(move |step| step.get(&key))
    }

    fn list<'a>(
        &'a self,
        filter: &'a Filter,
        before: Option<i64>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        let filter = filter.clone();
        self.read(move |step| step.list(&filter, before, limit))
    }

    fn count<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, StoreError>> {
        let filter = filter.clone();
        self.read(move |step| step.count(&filter))
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats, StoreError>> {
        self.read(|step| step.stats())
    }

    fn redeliver<'a>(
        &'a self,
        filter: &'a Filter,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.operate(filter, Operation::Redeliver, limit)
    }

    fn renew<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        let key = *key;
        self.step(move |step| step.renew(&key))
    }

    fn discard<'a>(
        &'a self,
        filter: &'a Filter,
        reason: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        let reason = reason.to_owned();
        self.operate(filter, Operation::Discard { reason }, limit)
    }

    fn set_paused(&self, paused: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        let arrivals = self.arrivals.clone();
        let notify = move |(): &()| {
            if !paused {
                arrivals.notify();
            }
        };
        self.step_then(move |step| step.set_paused(paused), notify)
    }

    fn prune(&self, keep: Duration, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.step(move |step| step.prune(keep, limit))
    }

    fn erase<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        let key = *key;
        self.step(move |step| step.erase(&key))
    }

    fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }
}

impl SqliteStore {
    /// Searches without the write lock, then applies the operation in one step to what still matches.
    fn operate<'a>(
        &'a self,
        filter: &'a Filter,
        operation: Operation,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            let (filter, arrivals) = (filter.clone(), self.arrivals.clone());
            let (what, by) = (filter.clone(), operation.clone());
            let ids = self
                .read(move |step| step.search(&what, &by, limit))
                .await?;
            let notify = move |operated: &u64| {
                if *operated > 0 {
                    arrivals.notify();
                }
            };
            let apply = move |step: &crate::step::Step<'_>| step.operate(&filter, &operation, &ids);
            self.step_then(apply, notify).await
        })
    }
}
