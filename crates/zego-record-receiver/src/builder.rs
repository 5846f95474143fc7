//! The configuration of a receiver, and what is rejected in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zego_record_core::{ConfigError, ConfigErrorKind, OtherEvent, Rejection, Verifier};

use crate::clock::{Clock, SystemClock};
use crate::guard::{GuardMode, MemoryGuard, ReplayGuard};
use crate::hooks::{Abandoned, Hooks, Quarantined};
use crate::memory_store::MemoryStore;
use crate::receiver::Receiver;
use crate::store::DeliveryStore;

/// ZEGOCLOUD's last gap between two attempts. A lease as long as that would keep every retry away from
/// a delivery whose first attempt was cut off by a crash.
const LAST_RETRY_GAP: Duration = Duration::from_secs(32);
/// What the lease leaves for the claim and the settlement around the handler.
const LEASE_MARGIN: Duration = Duration::from_secs(2);
/// How much longer than any timestamp can be fresh something must be remembered.
pub(crate) const MEMORY_MARGIN: Duration = Duration::from_secs(60);

/// What a receiver does when its delivery store cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFailure {
    /// It answers `503`, and ZEGOCLOUD tries again.
    #[default]
    Reject,
    /// It runs the handler all the same, which may then run twice, even at the same time; such a
    /// [`Delivery`](crate::Delivery) says that it is unguarded.
    RunWithoutDeduplication,
}

/// Collects what a [`Receiver`] needs to know. Every default is the safe one.
#[must_use = "a builder does nothing before build()"]
pub struct ReceiverBuilder {
    pub(crate) config: Config,
    pub(crate) lease: Option<Duration>,
    pub(crate) retention: Option<Duration>,
}

pub(crate) struct Config {
    pub(crate) verifier: Verifier,
    pub(crate) body_limit: usize,
    pub(crate) body_deadline: Duration,
    pub(crate) handler_timeout: Duration,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    pub(crate) max_in_flight: usize,
    pub(crate) store: Arc<dyn DeliveryStore>,
    pub(crate) store_timeout: Duration,
    pub(crate) store_failure: StoreFailure,
    pub(crate) guard_mode: GuardMode,
    pub(crate) memory_guard: MemoryGuard,
    pub(crate) guard: Option<Arc<dyn ReplayGuard>>,
    pub(crate) reject_other_events: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hooks: Hooks,
}

impl ReceiverBuilder {
    pub(crate) fn new(verifier: Verifier) -> Self {
        let config = Config {
            verifier,
            body_limit: 64 * 1024,
            body_deadline: Duration::from_secs(5),
            handler_timeout: Duration::from_secs(8),
            lease: Duration::ZERO,
            retention: Duration::ZERO,
            max_in_flight: 1_024,
            store: Arc::new(MemoryStore::new()),
            store_timeout: Duration::from_millis(500),
            store_failure: StoreFailure::default(),
            guard_mode: GuardMode::default(),
            memory_guard: MemoryGuard::new(),
            guard: None,
            reject_other_events: false,
            clock: Arc::new(SystemClock::new()),
            hooks: Hooks::default(),
        };
        Self {
            config,
            lease: None,
            retention: None,
        }
    }

    /// The longest body that is read, in bytes; 64 KiB unless set.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.config.body_limit = bytes;
        self
    }

    /// How long a body may take to arrive; 5 seconds unless set.
    pub fn body_deadline(mut self, deadline: Duration) -> Self {
        self.config.body_deadline = deadline;
        self
    }

    /// How long a handler may run before it is stopped; 8 seconds unless set. ZEGOCLOUD does not say
    /// for how long it waits, so an answer should come soon.
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.config.handler_timeout = timeout;
        self
    }

    /// For how long a run that has fallen silent keeps others away; the handler timeout and 2 seconds
    /// unless set. It must be at least that, and shorter than 32 seconds.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// How long a finished delivery is remembered; what the store proposes unless set, 24 hours in
    /// memory. It must be longer than both tolerances and 60 seconds together, or a request that was
    /// captured could be sent again and be new.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// How many handlers may run at once; 1,024 unless set. Further callbacks are answered `503`.
    pub fn max_in_flight(mut self, handlers: usize) -> Self {
        self.config.max_in_flight = handlers;
        self
    }

    /// Where deliveries are remembered; in memory unless set. An `Arc` of a store is one, too.
    pub fn store(mut self, store: impl DeliveryStore + 'static) -> Self {
        self.config.store = Arc::new(store);
        self
    }

    /// How long one request to the store may take, of three at most; 500 ms unless set.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.config.store_timeout = timeout;
        self
    }

    /// What happens when the store cannot be reached; the callback is rejected unless set.
    pub fn on_store_failure(mut self, store_failure: StoreFailure) -> Self {
        self.config.store_failure = store_failure;
        self
    }

    /// What happens to a signature that comes with other content; it is rejected unless set.
    pub fn guard_mode(mut self, mode: GuardMode) -> Self {
        self.config.guard_mode = mode;
        self
    }

    /// The guard in memory, for another size than 131,072 signatures. It also stands in for another
    /// guard that cannot be reached.
    pub fn memory_guard(mut self, guard: MemoryGuard) -> Self {
        self.config.memory_guard = guard;
        self
    }

    /// A guard that several processes share; only the one in memory unless set. An `Arc` of a guard is
    /// one, too.
    pub fn guard(mut self, guard: impl ReplayGuard + 'static) -> Self {
        self.config.guard = Some(Arc::new(guard));
        self
    }

    /// Rejects other events than `record` with `422` instead of ignoring them with `1`.
    pub fn reject_other_events(mut self) -> Self {
        self.config.reject_other_events = true;
        self
    }

    /// Where the time comes from; the operating system unless set. An `Arc` of a clock is one, too.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.config.clock = Arc::new(clock);
        self
    }

    /// Called for every request that is rejected, signed or not. Anybody can cause that, so be quick.
    pub fn on_rejected(mut self, hook: impl Fn(&Rejection) + Send + Sync + 'static) -> Self {
        self.config.hooks.rejected = Some(Box::new(hook));
        self
    }

    /// Called for every request that was signed and rejected all the same, with its body.
    pub fn on_quarantine(
        mut self,
        hook: impl Fn(&Quarantined<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.config.hooks.quarantine = Some(Box::new(hook));
        self
    }

    /// Called for every other event than `record`.
    pub fn on_ignored(mut self, hook: impl Fn(&OtherEvent) + Send + Sync + 'static) -> Self {
        self.config.hooks.ignored = Some(Box::new(hook));
        self
    }

    /// Called 64 seconds after a callback was answered `500` or `503`, if it has not come again by
    /// then. Other processes are not seen: behind a load balancer it may have come again there.
    pub fn on_abandoned(mut self, hook: impl Fn(&Abandoned) + Send + Sync + 'static) -> Self {
        self.config.hooks.abandoned = Some(Box::new(hook));
        self
    }

    /// Builds the receiver.
    ///
    /// # Errors
    ///
    /// If the lease or the retention breaks its rule, or a limit or time is zero.
    pub fn build(self) -> Result<Receiver, ConfigError> {
        let mut config = self.config;
        let shortest_lease = config.handler_timeout.saturating_add(LEASE_MARGIN);
        config.lease = self.lease.unwrap_or(shortest_lease);
        config.retention = self.retention.unwrap_or(config.store.default_retention());
        for (name, is_zero) in [
            ("the body limit", config.body_limit == 0),
            ("the body deadline", config.body_deadline.is_zero()),
            ("the handler timeout", config.handler_timeout.is_zero()),
            ("the store timeout", config.store_timeout.is_zero()),
            (
                "the number of handlers in flight",
                config.max_in_flight == 0,
            ),
        ] {
            if is_zero {
                return limit(format!("{name} is zero: every callback would be rejected"));
            }
        }
        if config.lease >= LAST_RETRY_GAP {
            return limit(format!(
                "the lease of {:?} is too long: it must be shorter than {LAST_RETRY_GAP:?}, the last gap between two attempts of ZEGOCLOUD, or a crash loses the callback; by default it is the handler timeout and {LEASE_MARGIN:?}",
                config.lease
            ));
        }
        if config.lease < shortest_lease {
            return limit(format!(
                "the lease of {:?} is too short: it must be at least {shortest_lease:?}, the handler timeout and {LEASE_MARGIN:?}, or two handlers could run at once",
                config.lease
            ));
        }
        let (past, future) = (
            config.verifier.past_tolerance(),
            config.verifier.future_tolerance(),
        );
        let replayable = past.saturating_add(future).saturating_add(MEMORY_MARGIN);
        if config.retention <= replayable {
            return limit(format!(
                "the retention of {:?} is too short: it must be longer than {replayable:?}, both tolerances and {MEMORY_MARGIN:?}, or a captured request could be sent again",
                config.retention
            ));
        }
        Ok(Receiver::new(config))
    }
}

fn limit(message: String) -> Result<Receiver, ConfigError> {
    Err(ConfigError::new(ConfigErrorKind::Limit, message))
}

impl fmt::Debug for ReceiverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("verifier", &self.verifier)
            .field("body_limit", &self.body_limit)
            .field("body_deadline", &self.body_deadline)
            .field("handler_timeout", &self.handler_timeout)
            .field("lease", &self.lease)
            .field("retention", &self.retention)
            .field("max_in_flight", &self.max_in_flight)
            .field("store", &self.store)
            .field("guard_mode", &self.guard_mode)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}
