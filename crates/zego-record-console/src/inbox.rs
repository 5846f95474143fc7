//! The inbox as the pages use it: with a timeout, panics contained, and failures logged.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zego_record_core::DeliveryKey;
use zego_record_inbox::{Details, Entry, Filter, InboxStore, Stats};
use zego_record_receiver::support::{RateLimit, call};
use zego_record_receiver::{BoxFuture, StoreError};

use crate::log;

/// The inbox, of whatever store.
#[derive(Clone)]
pub(crate) struct Inbox {
    store: Arc<dyn InboxStore>,
    timeout: Duration,
    failures: Arc<RateLimit>,
    started: Instant,
}

impl Inbox {
    pub(crate) fn new(store: Arc<dyn InboxStore>, timeout: Duration) -> Self {
        Self {
            store,
            timeout,
            failures: Arc::new(RateLimit::new(5)),
            started: Instant::now(),
        }
    }

    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    pub(crate) async fn stats(&self) -> Result<Stats, StoreError> {
        self.call("stats", || self.store.stats()).await
    }

    pub(crate) async fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        self.call("count", || self.store.count(filter)).await
    }

    pub(crate) async fn list(
        &self,
        filter: &Filter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let list = || self.store.list(filter, before, limit);
        let mut entries = self.call("list", list).await?;
        // A page stays bounded whatever a store returns.
        entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(entries)
    }

    pub(crate) async fn get(&self, key: &DeliveryKey) -> Result<Option<Details>, StoreError> {
        self.call("get", || self.store.get(key)).await
    }

    pub(crate) async fn redeliver(&self, filter: &Filter, limit: u32) -> Result<u64, StoreError> {
        let redeliver = || self.store.redeliver(filter, limit);
        self.call("redeliver", redeliver).await
    }

    pub(crate) async fn discard(
        &self,
        filter: &Filter,
        reason: &str,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let discard = || self.store.discard(filter, reason, limit);
        self.call("discard", discard).await
    }

    pub(crate) async fn set_paused(&self, paused: bool) -> Result<(), StoreError> {
        self.call("set_paused", || self.store.set_paused(paused))
            .await
    }

    async fn call<'a, T>(
        &self,
        name: &'static str,
        request: impl FnOnce() -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let result = call(self.timeout, request).await;
        if let Err(failure) = &result
            && let Some(suppressed) = self.failures.allow(self.started.elapsed())
        {
            log::store_failed(name, failure, suppressed);
        }
        result
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("store", &self.store)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
