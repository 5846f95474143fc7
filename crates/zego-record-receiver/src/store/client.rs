//! The delivery store as the pipeline uses it: with timeouts and tries, and panics contained.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::contract::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, Settled, Settlement, StoreError, StoreErrorKind,
};
use crate::panics::catch;

const MAX_TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(20);

/// Calls the store, and again at once if the failure may be transient.
#[derive(Clone)]
pub(crate) struct StoreClient {
    store: Arc<dyn DeliveryStore>,
    timeout: Duration,
}

impl StoreClient {
    pub(crate) fn new(store: Arc<dyn DeliveryStore>, timeout: Duration) -> Self {
        Self { store, timeout }
    }

    pub(crate) async fn claim(&self, claim: &Claim) -> Result<ClaimOutcome, StoreError> {
        try_again(self.timeout, || self.store.claim(claim)).await
    }

    pub(crate) async fn settle(
        &self,
        claim: &Claim,
        settlement: Settlement,
    ) -> Result<Settled, StoreError> {
        try_again(self.timeout, || self.store.settle(claim, settlement)).await
    }

    /// One page; the next one follows soon in any case.
    pub(crate) async fn purge(&self, limit: u32) -> Result<u64, StoreError> {
        call(self.timeout, || self.store.purge(limit)).await
    }

    pub(crate) fn evictions(&self) -> u64 {
        catch(|| self.store.evictions()).unwrap_or_default()
    }

    /// How long a claim or a settlement can take, with its tries and the pauses between them.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout
            .saturating_mul(MAX_TRIES)
            .saturating_add(PAUSE * MAX_TRIES * MAX_TRIES)
    }
}

impl fmt::Debug for StoreClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreClient")
            .field("store", &self.store)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Calls a store, and again at once if the failure may be transient.
pub(crate) async fn try_again<'a, T>(
    timeout: Duration,
    request: impl Fn() -> BoxFuture<'a, Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut tries = 1;
    loop {
        match call(timeout, &request).await {
            Err(error) if error.is_transient() && tries < MAX_TRIES => {
                tokio::time::sleep(PAUSE * tries).await;
                tries += 1;
            }
            result => return result,
        }
    }
}

/// Calls a store, a guard or an inbox once, for `timeout` at most. A panic counts as it being unavailable.
///
/// # Errors
///
/// Its own, and [`Timeout`](StoreErrorKind::Timeout): whether the request was carried out is unknown then.
pub async fn call<'a, T>(
    timeout: Duration,
    request: impl FnOnce() -> BoxFuture<'a, Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let Some(mut future) = catch(request) else {
        return Err(panicked());
    };
    let polled = poll_fn(|context| {
        catch(|| future.as_mut().poll(context)).unwrap_or_else(|| Poll::Ready(Err(panicked())))
    });
    let result = tokio::time::timeout(timeout, polled).await;
    // What it holds is dropped here and not where the panic would unwind further.
    let _ = catch(|| drop(future));
    result.unwrap_or_else(|_| Err(StoreError::timeout()))
}

fn panicked() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "it panicked")
}
