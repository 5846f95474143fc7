//! The line from one process to the store, with faults on it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use zego_record_core::DeliveryKey;
use zego_record_inbox::{
    Arrivals, ClaimDue, Claimed, Details, Entry, Filter, Hold, InboxStore, RunEnded, Stats,
};
use zego_record_receiver::{
    Accept, Accepted, Binding, BoxFuture, NewCallback, ReplayCheck, ReplayGuard, Settled,
    StoreError, StoreErrorKind,
};

use crate::faults::StoreFault;
use crate::process::Life;
use crate::steps::number;
use crate::store::at_once;
use crate::world::{Stream, World};

/// The store as one process sees it.
pub(crate) struct Line {
    pub(crate) world: Arc<World>,
    pub(crate) life: Arc<Life>,
}

impl Line {
    /// One request, which `step` carries out.
    async fn request<T: Send + 'static>(
        &self,
        what: &'static str,
        stream: Stream,
        fault: Option<StoreFault>,
        step: impl FnOnce(&World, &Life) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (world, life) = (Arc::clone(&self.world), Arc::clone(&self.life));
        world.latency(stream).await;
        let Some(fault) = fault else {
            return step(&world, &life);
        };
        world.note(format!("store: {what}: {}", fault.name()), || {
            format!("process {}: {fault:?}", life.number)
        });
        match fault {
            StoreFault::Unavailable => Err(unavailable()),
            StoreFault::Hangs => std::future::pending().await,
            StoreFault::AnswerLost => step(&world, &life).and(Err(unavailable())),
            StoreFault::AnswerLate(by) => {
                let result = step(&world, &life);
                sleep(by).await;
                result
            }
            StoreFault::Slow(by) => {
                sleep(by).await;
                step(&world, &life)
            }
            StoreFault::CarriedOutLate(by) => {
                tokio::spawn(async move {
                    sleep(by).await;
                    let _ = step(&world, &life);
                });
                std::future::pending().await
            }
        }
    }

    /// On the run that somebody holds, which the fault excuses if it comes again.
    fn fault_on(&self, hold: &Hold) -> Option<StoreFault> {
        let fault = self.world.store_fault(self.world.stream(hold));
        if fault.is_some() {
            self.world.with_hold(hold, |truth, _| {
                truth.excuse_effect(Some(hold.epoch));
                Ok(())
            });
        }
        fault
    }

    fn store(&self) -> &dyn InboxStore {
        &*self.world.store
    }
}

impl ReplayGuard for Line {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        let check = *check;
        let stream = Stream::Process(self.life.number);
        let fault = self.world.store_fault(stream);
        Box::pin(self.request("bind", stream, fault, move |world, _| {
            at_once(world.store.bind(&check))
        }))
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { at_once(self.store().purge(limit)) })
    }

    fn evictions(&self) -> u64 {
        self.store().evictions()
    }
}

impl Accept for Line {
    fn accept<'a>(
        &'a self,
        callback: &'a NewCallback,
    ) -> BoxFuture<'a, Result<Accepted, StoreError>> {
        let callback = callback.clone();
        let stream = Stream::Callback(number(&callback));
        let fault = self.world.store_fault(stream);
        if fault.is_some() {
            self.world.accept_fault(&callback);
        }
        Box::pin(self.request("accept", stream, fault, move |world, life| {
            let accepted = world.accept(&callback)?;
            if accepted == Accepted::New && world.weather.shares_arrivals {
                life.arrivals.notify();
            }
            Ok(accepted)
        }))
    }
}

impl InboxStore for Line {
    fn claim_due<'a>(
        &'a self,
        claim: &'a ClaimDue,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, StoreError>> {
        let claim = *claim;
        let stream = Stream::Process(self.life.number);
        let fault = self.world.store_fault(stream);
        Box::pin(self.request("claim", stream, fault, move |world, life| {
            world.claim(&claim, life.number)
        }))
    }

    fn extend<'a>(
        &'a self,
        hold: &'a Hold,
        lease: Duration,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let hold = *hold;
        let stream = self.world.stream(&hold);
        let fault = self.fault_on(&hold);
        Box::pin(self.request("extend", stream, fault, move |world, _| {
            world.extend(&hold, lease)
        }))
    }

    fn settle<'a>(
        &'a self,
        hold: &'a Hold,
        ended: &'a RunEnded,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let (hold, ended) = (*hold, ended.clone());
        let stream = self.world.stream(&hold);
        let fault = self.fault_on(&hold);
        Box::pin(self.request("settle", stream, fault, move |world, _| {
            world.settle(&hold, &ended)
        }))
    }

    fn get<'a>(
        &'a self,
        key: &'a DeliveryKey,
    ) -> BoxFuture<'a, Result<Option<Details>, StoreError>> {
        self.store().get(key)
    }

    fn list<'a>(
        &'a self,
        filter: &'a Filter,
        before: Option<i64>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.store().list(filter, before, limit)
    }

    fn count<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.store().count(filter)
    }

    /// Two tasks of a worker start in any order, so nothing is drawn for the one that changes nothing.
    fn stats(&self) -> BoxFuture<'_, Result<Stats, StoreError>> {
        Box::pin(async move { at_once(self.store().stats()) })
    }

    fn redeliver<'a>(
        &'a self,
        filter: &'a Filter,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.store().redeliver(filter, limit)
    }

    fn renew<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.store().renew(key)
    }

    fn discard<'a>(
        &'a self,
        filter: &'a Filter,
        reason: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.store().discard(filter, reason, limit)
    }

    fn set_paused(&self, paused: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store().set_paused(paused)
    }

    fn prune(&self, keep: Duration, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { at_once(self.store().prune(keep, limit)) })
    }

    fn erase<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.store().erase(key)
    }

    fn arrivals(&self) -> &Arrivals {
        &self.life.arrivals
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

fn unavailable() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "a fault of the simulation")
}
