//! The replay guard as the pipeline uses it: with a timeout, panics contained, and a guard in memory to
//! fall back to.

use std::sync::Arc;
use std::time::Duration;

use super::contract::{Binding, ReplayCheck, ReplayGuard};
use super::memory::MemoryGuard;
use super::protection::{Mode, ReplayProtection};
use crate::clock::Clock;
use crate::panics::catch;
use crate::store::{StoreError, call};

#[derive(Debug)]
pub(crate) struct GuardClient {
    /// `None` if the one in memory is all there is.
    guard: Option<Arc<dyn ReplayGuard>>,
    local: MemoryGuard,
    mode: Mode,
    timeout: Duration,
}

impl GuardClient {
    pub(crate) fn new(
        protection: ReplayProtection,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Self {
        Self {
            guard: protection.guard,
            local: MemoryGuard::new().with_clock(clock),
            mode: protection.mode,
            timeout,
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.mode != Mode::Off
    }

    /// Whether a conflict is only to be observed.
    pub(crate) fn observes_only(&self) -> bool {
        self.mode == Mode::Observe
    }

    /// The binding, and why it is only that of this process.
    ///
    /// A guard is a mitigation: to reject everything while it cannot be reached would lose recordings.
    pub(crate) async fn bind(&self, check: &ReplayCheck) -> (Binding, Option<StoreError>) {
        let Some(guard) = &self.guard else {
            return (self.local.bind_now(check), None);
        };
        // Always, so that a shared guard may fail and recover between two requests without either of them
        // being a first; not for one that is in memory as well, whose bound is the user's.
        let is_infallible = catch(|| guard.is_infallible()).unwrap_or(false);
        let local = (!is_infallible).then(|| self.local.bind_now(check));
        match call(self.timeout, || guard.bind(check)).await {
            Ok(_) if local == Some(Binding::Conflict) => (Binding::Conflict, None),
            Ok(shared) => (shared, None),
            Err(error) => {
                let local = local.unwrap_or_else(|| self.local.bind_now(check));
                (local, Some(error))
            }
        }
    }

    pub(crate) async fn purge(&self, limit: u32) -> Result<u64, StoreError> {
        let local = self.local.purge(limit).await?;
        match &self.guard {
            Some(guard) => Ok(local + call(self.timeout, || guard.purge(limit)).await?),
            None => Ok(local),
        }
    }

    pub(crate) fn evictions(&self) -> u64 {
        let guard = self.guard.as_ref();
        let shared = guard.and_then(|guard| catch(|| guard.evictions()));
        self.local
            .evictions()
            .saturating_add(shared.unwrap_or_default())
    }
}
