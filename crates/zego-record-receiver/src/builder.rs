//! The configuration of a receiver, and what is rejected in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zego_record_core::{ConfigError, ConfigErrorKind, OtherEvent, Verdict, Verifier};

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::guard::{Mode, ReplayGuard, ReplayProtection};
use crate::hooks::{Abandoned, Delivered, Hooks, Quarantined, Rejected};
use crate::inbox::{Accept, InboxClient, InboxReceiver};
use crate::pipeline::{BodyLimits, keep_for};
use crate::receiver::Receiver;
use crate::reply::{RejectionBody, Replies};
use crate::store::{DeliveryStore, MemoryStore};

/// What a lease leaves for the claim and the settlement around the handler.
const LEASE_MARGIN: Duration = Duration::from_secs(2);
/// ZEGOCLOUD's last gap between two attempts is 32 s. A lease as long as that would keep every retry away
/// from a delivery whose first attempt was interrupted by a crash.
const LAST_GAP: Duration = Duration::from_secs(32);
const MAX_HANDLER_TIMEOUT: Duration = Duration::from_secs(29);

/// What a receiver does when its delivery store cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFailure {
    /// It answers with `503`, and ZEGOCLOUD tries again.
    #[default]
    Reject,
    /// It runs the handler without deduplication: the handler may run twice, even at the same time.
    /// [`Delivery::is_deduplicated`](crate::Delivery::is_deduplicated) is false then.
    RunWithoutDeduplication,
}

/// Configures a [`Receiver`]. Every default is the safe one.
#[must_use = "a builder does nothing before build()"]
pub struct ReceiverBuilder {
    verifier: Verifier,
    body: BodyLimits,
    handler_timeout: Duration,
    lease: Option<Duration>,
    retention: Option<Duration>,
    max_in_flight: usize,
    store: Option<Arc<dyn DeliveryStore>>,
    store_timeout: Duration,
    store_failure: StoreFailure,
    replay_protection: ReplayProtection,
    reject_other_events: bool,
    clock: Arc<dyn Clock>,
    hooks: Hooks,
    replies: Replies,
}

impl ReceiverBuilder {
    pub(crate) fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            body: BodyLimits {
                size: 64 * 1024,
                deadline: Duration::from_secs(5),
            },
            handler_timeout: Duration::from_secs(8),
            lease: None,
            retention: None,
            max_in_flight: 1_024,
            store: None,
            store_timeout: Duration::from_millis(500),
            store_failure: StoreFailure::default(),
            replay_protection: ReplayProtection::default(),
            reject_other_events: false,
            clock: Arc::new(SystemClock::new()),
            hooks: Hooks::default(),
            replies: Replies::default(),
        }
    }

    /// The longest body that is read, in bytes. The default is 64 KiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body.size = bytes;
        self
    }

    /// How long a body may take to arrive. The default is 5 seconds.
    pub fn body_deadline(mut self, deadline: Duration) -> Self {
        self.body.deadline = deadline;
        self
    }

    /// How long a handler may run before it is stopped, 29 seconds at most. The default is 8 seconds:
    /// ZEGOCLOUD does not document how long it waits, so a response should come soon.
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.handler_timeout = timeout;
        self
    }

    /// How long a run whose process has crashed keeps other runs away. The default is the handler
    /// timeout plus 2 seconds, which is also the least; it must be shorter than 32 seconds.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// How long a finished delivery is remembered. The default is the store's, 24 hours in memory. It
    /// must be longer than both tolerances and 60 seconds together: otherwise a captured request could be
    /// sent again once its delivery is forgotten.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// How many handlers may run at once. The default is 1,024; further callbacks are answered with
    /// `503`.
    pub fn max_in_flight(mut self, handlers: usize) -> Self {
        self.max_in_flight = handlers;
        self
    }

    /// Where deliveries are remembered for deduplication. The default is a [`MemoryStore`]. An `Arc` of
    /// a store is one, too.
    pub fn store(mut self, store: impl DeliveryStore + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// How long one request to the store or the guard may take; the store is asked three times at most.
    /// The default is 500 ms.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// What happens when the store cannot be reached. By default the callback is rejected with `503`.
    pub fn on_store_failure(mut self, store_failure: StoreFailure) -> Self {
        self.store_failure = store_failure;
        self
    }

    /// Replay protection: a guard that several processes share, a bigger one in memory, or
    /// [`ReplayProtection`] for other modes. The default is a [`MemoryGuard`](crate::MemoryGuard) for
    /// 131,072 signatures that rejects, which also stands in for a guard that cannot be reached.
    pub fn guard(mut self, protection: impl Into<ReplayProtection>) -> Self {
        self.replay_protection = protection.into();
        self
    }

    /// Rejects other events than `record` with `422` instead of ignoring them with `1`.
    pub fn reject_other_events(mut self) -> Self {
        self.reject_other_events = true;
        self
    }

    /// Where the time comes from, also for the store and the guard that the receiver builds for itself.
    /// The default is the operating system. An `Arc` of a clock is one, too.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Another body for what is not answered with `1`, such as JSON. The status is that of the verdict.
    ///
    /// ```
    /// use zego_record_receiver::{ReceiverBuilder, RejectionBody};
    ///
    /// fn with_json(builder: ReceiverBuilder) -> ReceiverBuilder {
    ///     builder.rejection_body(|verdict| RejectionBody::json(format!(r#"{{"error":"{verdict}"}}"#)))
    /// }
    /// ```
    pub fn rejection_body(
        mut self,
        body: impl Fn(Verdict) -> RejectionBody + Send + Sync + 'static,
    ) -> Self {
        self.replies = Replies(Some(Box::new(body)));
        self
    }

    /// Called for every delivery of a verified callback, with the verdict and the handler's error.
    pub fn on_delivery(mut self, hook: impl Fn(&Delivered<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.delivery = Some(Box::new(hook));
        self
    }

    /// Called for every request that is rejected, signed or not. Anyone can cause that, so be quick.
    pub fn on_rejected(mut self, hook: impl Fn(&Rejected<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.rejected = Some(Box::new(hook));
        self
    }

    /// Called with the body of a request that was signed but rejected.
    ///
    /// Each signature and content comes once, at most four contents for a signature and ten bodies a
    /// second; [`Counters::quarantine_suppressed`](crate::Counters) counts the rest. A body is as long
    /// as the body limit allows. If you write them to a disk, limit the space that they may take there.
    pub fn on_quarantine(
        mut self,
        hook: impl Fn(&Quarantined<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.quarantine = Some(Box::new(hook));
        self
    }

    /// Called for every other event than `record` that is ignored.
    pub fn on_ignored(mut self, hook: impl Fn(&OtherEvent) + Send + Sync + 'static) -> Self {
        self.hooks.ignored = Some(Box::new(hook));
        self
    }

    /// Called 64 seconds after a callback was answered with `500` or `503`, if it has not come again by
    /// then. Other processes are not seen: behind a load balancer it may have come again there. 1,024
    /// callbacks are watched at once; [`Counters::retries_unwatched`](crate::Counters) counts what comes
    /// beyond that.
    pub fn on_abandoned(mut self, hook: impl Fn(&Abandoned) + Send + Sync + 'static) -> Self {
        self.hooks.abandoned = Some(Box::new(hook));
        self
    }

    /// Builds a receiver that commits callbacks to an inbox instead of running a handler. The inbox is its
    /// store and its replay guard.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and if a store or a guard was set, which would never be used.
    pub fn build_with_inbox(
        mut self,
        inbox: impl Accept + 'static,
    ) -> Result<InboxReceiver, ConfigError> {
        for (name, is_set) in [
            ("store", self.store.is_some()),
            ("guard", self.replay_protection.guard.is_some()),
        ] {
            if is_set {
                return Err(limit(format!(
                    "a {name} was set and an inbox, which has its own: leave out .{name}(..)"
                )));
            }
        }
        let inbox = Arc::new(inbox);
        self.replay_protection.guard = match self.replay_protection.mode {
            Mode::Off => None,
            Mode::Observe | Mode::Enforce => Some(Arc::clone(&inbox) as Arc<dyn ReplayGuard>),
        };
        let client = InboxClient::new(inbox, self.store_timeout);
        Ok(InboxReceiver {
            receiver: self.build()?,
            inbox: Arc::new(client),
        })
    }

    /// Builds the receiver.
    ///
    /// # Errors
    ///
    /// If a timeout, the lease or the retention breaks its rule, or if a limit is zero.
    pub fn build(self) -> Result<Receiver, ConfigError> {
        for (name, is_zero) in [
            ("body limit", self.body.size == 0),
            ("body deadline", self.body.deadline.is_zero()),
            ("handler timeout", self.handler_timeout.is_zero()),
            ("store timeout", self.store_timeout.is_zero()),
            ("maximum of handlers in flight", self.max_in_flight == 0),
        ] {
            if is_zero {
                return Err(limit(format!(
                    "the {name} is zero: every callback would be rejected"
                )));
            }
        }
        let clock = self.clock;
        let store = self
            .store
            .unwrap_or_else(|| Arc::new(MemoryStore::new().with_clock(Arc::clone(&clock))));
        let lease = checked_lease(self.handler_timeout, self.lease)?;
        let retention = self.retention.unwrap_or_else(|| store.default_retention());
        check_retention(retention, &self.verifier)?;
        let config = Config {
            body: self.body,
            handler_timeout: self.handler_timeout,
            lease,
            retention,
            max_in_flight: self.max_in_flight,
            store,
            store_timeout: self.store_timeout,
            store_failure: self.store_failure,
            replay_protection: self.replay_protection,
            reject_other_events: self.reject_other_events,
            clock,
            hooks: self.hooks,
            replies: self.replies,
        };
        Ok(Receiver::new(self.verifier, config))
    }
}

fn checked_lease(
    handler_timeout: Duration,
    lease: Option<Duration>,
) -> Result<Duration, ConfigError> {
    if handler_timeout > MAX_HANDLER_TIMEOUT {
        return Err(limit(format!(
            "the handler timeout of {handler_timeout:?} is too long: {MAX_HANDLER_TIMEOUT:?} is the most, since ZEGOCLOUD sends the last retry 32 s after the one before; let the handler store the recording, and do longer work from there"
        )));
    }
    let least = handler_timeout.saturating_add(LEASE_MARGIN);
    match lease {
        None => Ok(least),
        Some(lease) if lease >= LAST_GAP => Err(limit(format!(
            "the lease of {lease:?} is too long: it must be shorter than {LAST_GAP:?}, after which ZEGOCLOUD sends the last retry, or a crash would lose the callback"
        ))),
        Some(lease) if lease < least => Err(limit(format!(
            "the lease of {lease:?} is too short: it must be at least {least:?}, the handler timeout and {LEASE_MARGIN:?}, or two handlers could run at once"
        ))),
        Some(lease) => Ok(lease),
    }
}

pub(crate) fn check_retention(retention: Duration, verifier: &Verifier) -> Result<(), ConfigError> {
    let replayable = keep_for(verifier);
    if retention > replayable {
        return Ok(());
    }
    Err(limit(format!(
        "the retention of {retention:?} is too short: it must be longer than {replayable:?}, both tolerances and 60 s, or a captured request could be sent again"
    )))
}

fn limit(message: String) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Limit, message)
}

impl fmt::Debug for ReceiverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverBuilder")
            .field("verifier", &self.verifier)
            .field("handler_timeout", &self.handler_timeout)
            .field("store", &self.store)
            .field("replay_protection", &self.replay_protection)
            .finish_non_exhaustive()
    }
}
