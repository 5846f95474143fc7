//! The configuration of a worker, and what is rejected in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zego_record_core::{ConfigError, ConfigErrorKind};
use zego_record_receiver::HandlerError;

use super::phase::Phase;
use super::{Inner, Worker};
use crate::delivery::Delivery;
use crate::hooks::{AttemptReport, DeadLetter, Hooks};
use crate::schedule::Schedule;
use crate::store::InboxStore;
use crate::telemetry::Telemetry;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// As good as for ever, and a time that every clock can add: more is cut, since an overflow would panic in
/// each attempt.
const LONGEST: Duration = DAY.saturating_mul(365 * 30);
/// A lease is extended a few times before it ends, and each time the store may be slow.
const LEASE_PER_STORE_TIMEOUT: u32 = 3;

/// Configures a [`Worker`].
#[must_use = "a builder does nothing before build()"]
pub struct WorkerBuilder {
    store: Arc<dyn InboxStore>,
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
}

impl WorkerBuilder {
    pub(crate) fn new(store: Arc<dyn InboxStore>) -> Self {
        Self {
            store,
            schedule: Schedule::default(),
            concurrency: 16,
            handler_timeout: Duration::from_secs(60 * 60),
            lease: Duration::from_secs(60),
            poll_interval: Duration::from_secs(1),
            store_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(20),
            keep: 30 * DAY,
            claim_limit: Box::new(|| usize::MAX),
            hooks: Hooks::default(),
        }
    }

    /// When a failed attempt is made again. The default is 12 attempts within 76 hours.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// How many handlers run at once in this worker. The default is 16.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.concurrency = handlers;
        self
    }

    /// How long a handler may run before it is stopped and counts as failed. The default is an hour.
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.handler_timeout = timeout;
        self
    }

    /// How long a run whose process has crashed keeps others away. The default is 60 seconds. A handler
    /// may take longer: its lease is extended after each third of it.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How often the store is asked for what is due. The default is a second, less up to a half at random.
    /// What this process accepts is handled at once.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// How long one request to the store may take. The default is 5 seconds.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// How long a shutdown waits for handlers. The default is 20 seconds.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// How long a callback is kept after it was done or discarded, and so for how long a duplicate of it is
    /// known. The default is 30 days, the least is a day. Dead letters are kept until an operator has
    /// decided.
    pub fn keep_done(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// How many callbacks may be claimed right now, asked before each claim: 0 while a service that every
    /// handler needs is down, so that no callback spends an attempt on it, and 1 to probe it.
    pub fn claim_limit(mut self, limit: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.claim_limit = Box::new(limit);
        self
    }

    /// Called for every attempt that has ended.
    pub fn on_attempt(mut self, hook: impl Fn(&AttemptReport<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.attempt = Some(Box::new(hook));
        self
    }

    /// Called for every callback that becomes a dead letter: a person should look at it.
    pub fn on_dead_letter(
        mut self,
        hook: impl Fn(&DeadLetter<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.dead = Some(Box::new(hook));
        self
    }

    /// Builds the worker. The handler is an `async fn` from a [`Delivery`] or a
    /// [`RecordCallback`](zego_record_core::RecordCallback) to `Result<(), HandlerError>`; a closure passes
    /// on what else it needs.
    ///
    /// # Errors
    ///
    /// If a limit is zero, the lease is too short for the store's timeout, or done callbacks are kept for
    /// too short a time.
    pub fn build<H, A, F>(self, handler: H) -> Result<Worker, ConfigError>
    where
        H: Fn(A) -> F + Send + Sync + 'static,
        A: From<Delivery> + Send + 'static,
        F: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        for (name, is_zero) in [
            ("concurrency", self.concurrency == 0),
            ("handler timeout", self.handler_timeout.is_zero()),
            ("poll interval", self.poll_interval.is_zero()),
            ("store timeout", self.store_timeout.is_zero()),
        ] {
            if is_zero {
                return Err(limit(format!(
                    "the {name} is zero: nothing would be handled"
                )));
            }
        }
        let least = self.store_timeout.saturating_mul(LEASE_PER_STORE_TIMEOUT);
        if self.lease < least {
            return Err(limit(format!(
                "the lease of {:?} is too short: it must be at least {least:?}, three times the store timeout, or a slow store would end it under a running handler",
                self.lease
            )));
        }
        if self.keep < DAY {
            return Err(limit(format!(
                "done callbacks are kept for {:?}: it must be at least a day, or a captured request could be handled again",
                self.keep
            )));
        }
        Ok(Worker(Arc::new(Inner {
            store: self.store,
            handler: Box::new(move |delivery| Box::pin(handler(delivery.into()))),
            schedule: self.schedule,
            concurrency: self.concurrency,
            handler_timeout: self.handler_timeout.min(LONGEST),
            lease: self.lease.min(LONGEST),
            poll_interval: self.poll_interval,
            store_timeout: self.store_timeout,
            shutdown_timeout: self.shutdown_timeout,
            keep: self.keep,
            claim_limit: self.claim_limit,
            hooks: self.hooks,
            telemetry: Telemetry::new(),
            phase: Phase::new(),
        })))
    }
}

fn limit(message: String) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Limit, message)
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("store", &self.store)
            .field("schedule", &self.schedule)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
