//! A memory store of which a part is slow, fails or panics.

#![allow(dead_code)] // Each test file takes its part of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zego_record_receiver::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, MemoryStore, Settled, Settlement, StoreError,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Claim,
    Settle,
    Purge,
    Evictions,
}

/// What a part does instead of its work.
pub(crate) type Fault = fn() -> StoreError;

#[derive(Debug, Default)]
pub(crate) struct Faulty {
    store: MemoryStore,
    delays: Mutex<HashMap<Part, Duration>>,
    /// The fault, whether it is in the future or before it, and how often it happens.
    faults: Mutex<HashMap<Part, (Fault, bool, usize)>>,
    calls: Mutex<HashMap<Part, usize>>,
    owners: Mutex<Vec<u128>>,
}

impl Faulty {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn delay(&self, part: Part, delay: Duration) {
        self.delays.lock().unwrap().insert(part, delay);
    }

    /// The next `n` calls of a part run into this.
    pub(crate) fn fail(&self, part: Part, within_future: bool, n: usize, fault: Fault) {
        let mut faults = self.faults.lock().unwrap();
        faults.insert(part, (fault, within_future, n));
    }

    pub(crate) fn calls(&self, part: Part) -> usize {
        self.calls.lock().unwrap().get(&part).copied().unwrap_or(0)
    }

    /// The owners of all claims.
    pub(crate) fn owners(&self) -> Vec<u128> {
        self.owners.lock().unwrap().clone()
    }

    fn call<'a, T: Send + 'a>(
        &'a self,
        part: Part,
        request: BoxFuture<'a, Result<T, StoreError>>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        *self.calls.lock().unwrap().entry(part).or_default() += 1;
        let fault = self.take_fault(part);
        let early = fault.and_then(|(fault, within)| (!within).then(fault));
        let delay = self.delays.lock().unwrap().get(&part).copied();
        Box::pin(async move {
            if let Some(error) = early {
                return Err(error);
            }
            if let Some((fault, _)) = fault {
                tokio::task::yield_now().await;
                return Err(fault());
            }
            let result = request.await;
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
            result
        })
    }

    fn take_fault(&self, part: Part) -> Option<(Fault, bool)> {
        let mut faults = self.faults.lock().unwrap();
        let (fault, within, left) = faults.get_mut(&part).filter(|(_, _, left)| *left > 0)?;
        *left -= 1;
        Some((*fault, *within))
    }
}

impl DeliveryStore for Faulty {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        self.owners.lock().unwrap().push(claim.owner.get());
        self.call(Part::Claim, self.store.claim(claim))
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        self.call(Part::Settle, self.store.settle(claim, settlement))
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.call(Part::Purge, self.store.purge(limit))
    }

    fn default_retention(&self) -> Duration {
        self.store.default_retention()
    }

    fn evictions(&self) -> u64 {
        if let Some((fault, _)) = self.take_fault(Part::Evictions) {
            fault();
        }
        self.store.evictions()
    }
}
