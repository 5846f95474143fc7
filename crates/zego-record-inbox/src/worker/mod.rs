//! The worker: claims what is due, runs the handler for it, and settles the outcome.

mod attempt;
mod builder;
mod claim;
mod lease;
mod phase;
mod settle;
mod tasks;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zego_record_receiver::{BoxFuture, HandlerError, StoreError};

pub use builder::WorkerBuilder;

use crate::delivery::Delivery;
use crate::hooks::Hooks;
use crate::schedule::Schedule;
use crate::store::InboxStore;
use crate::telemetry::{Telemetry, WorkerCounters};
use claim::CLAIM_AT_ONCE;
use phase::Phase;

type Handler = dyn Fn(Delivery) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync;

/// Runs a handler for the callbacks of an inbox. Any number of workers, in any number of processes, may
/// work on one inbox.
///
/// * A handler that returns `Ok` is done. One that fails, panics or is out of time is run again by the
///   [`Schedule`], and is a dead letter after the last attempt.
/// * While a handler runs, its lease is extended, so that it may take hours. If the process crashes or
///   is cut off from the store, the lease ends and another worker takes over; a worker that cannot extend
///   a lease stops its handler.
/// * [`shutdown`](Self::shutdown) claims nothing more, waits, and gives back what is not finished.
///
/// Clones share everything.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

pub(crate) struct Inner {
    store: Arc<dyn InboxStore>,
    handler: Box<Handler>,
    schedule: Schedule,
    concurrency: usize,
    handler_timeout: Duration,
    lease: Duration,
    poll_interval: Duration,
    store_timeout: Duration,
    shutdown_timeout: Duration,
    keep: Duration,
    claim_limit: Box<dyn Fn() -> usize + Send + Sync>,
    hooks: Hooks,
    telemetry: Telemetry,
    phase: Phase,
}

impl Worker {
    /// Starts to configure a worker.
    pub fn builder(store: impl InboxStore + 'static) -> WorkerBuilder {
        WorkerBuilder::new(Arc::new(store))
    }

    /// Works until [`shutdown`](Self::shutdown) was called and everything is finished or given back.
    ///
    /// If the future is dropped, its handlers are stopped; what they held is taken over when its lease
    /// ends.
    pub async fn run(&self) {
        let _working = self.0.phase.enter();
        tokio::select! {
            () = self.0.work() => {}
            () = self.0.maintain() => {}
        }
    }

    /// Runs the handler for everything that is due now, and returns how often it was run: to drive a
    /// worker by hand, for example in a test with a clock of its own. Once
    /// [`shutdown`](Self::shutdown) was called it claims nothing more.
    ///
    /// # Errors
    ///
    /// If the store fails to hand out callbacks.
    pub async fn run_due(&self) -> Result<usize, StoreError> {
        let _working = self.0.phase.enter();
        let mut runs = 0;
        while !self.0.phase.is_draining() {
            let (claimed, lease_ends) = self.0.claim(self.0.concurrency.min(CLAIM_AT_ONCE)).await?;
            if claimed.is_empty() {
                break;
            }
            runs += claimed.len();
            let mut tasks = JoinSet::new();
            for claimed in claimed {
                tasks.spawn(Arc::clone(&self.0).attempt(claimed, lease_ends));
            }
            while tasks.join_next().await.is_some() {}
        }
        Ok(runs)
    }

    /// Shuts down gracefully: nothing more is claimed, handlers that are running may finish within the
    /// shutdown timeout, and what is still running then is stopped and given back at once, so that another
    /// worker can take it. Returns when [`run`](Self::run) and
    /// [`run_due`](Self::run_due) have ended.
    pub async fn shutdown(&self) {
        let inner = &*self.0;
        inner.phase.drain();
        if timeout(inner.shutdown_timeout, inner.phase.left())
            .await
            .is_err()
        {
            inner.phase.abort();
            // A handler that blocks its thread does not notice, and is not waited for.
            let patience = inner.store_timeout.saturating_mul(2);
            let _ = timeout(patience, inner.phase.left()).await;
        }
    }

    /// What has been counted so far.
    pub fn counters(&self) -> WorkerCounters {
        self.0.telemetry.read()
    }
}

impl Inner {
    async fn work(self: &Arc<Self>) {
        let mut tasks = JoinSet::new();
        let mut arrival = self.store.arrivals().subscribe();
        while !self.phase.is_draining() {
            while tasks.try_join_next().is_some() {}
            let free = self.concurrency.saturating_sub(tasks.len());
            let free = free.min(CLAIM_AT_ONCE);
            // Before the query, so that nothing that arrives after it is missed.
            arrival.clear();
            let mut next = self.poll_interval();
            let mut is_full = free == 0;
            match self.claim(free).await {
                Ok((claimed, lease_ends)) => {
                    is_full |= !claimed.is_empty() && claimed.len() == free;
                    for claimed in claimed {
                        tasks.spawn(Arc::clone(self).attempt(claimed, lease_ends));
                    }
                }
                Err(error) => {
                    self.telemetry.store_failed("claim", &error);
                    next = next.saturating_mul(2);
                }
            }
            if is_full && tasks.len() < self.concurrency {
                continue;
            }
            let slot_freed = async {
                if is_full {
                    tasks.join_next().await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = self.phase.draining() => {}
                () = sleep(next) => {}
                () = arrival.wait() => {}
                () = slot_freed => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// With jitter, so that workers do not ask in step.
    fn poll_interval(&self) -> Duration {
        let milliseconds = u64::try_from(self.poll_interval.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(milliseconds / 2 + fastrand::u64(0..=milliseconds / 2))
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("store", &self.0.store)
            .field("schedule", &self.0.schedule)
            .field("concurrency", &self.0.concurrency)
            .finish_non_exhaustive()
    }
}
