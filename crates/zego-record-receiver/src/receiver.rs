//! The receiver, as adapters see it.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use zego_record_core::{
    DeliveryKey, OtherEvent, RecordCallback, Rejection, UnixSeconds, Verdict, Verified, Verifier,
};

use crate::abandoned::Overdue;
use crate::answer::Answer;
use crate::body;
use crate::builder::{Config, MEMORY_MARGIN, ReceiverBuilder};
use crate::counters::Counters;
use crate::gate::Gate;
use crate::guard::{Binding, GuardMode, ReplayCheck};
use crate::hooks::{self, Quarantined};
use crate::report::Report;
use crate::road::Owners;
use crate::skew::SkewWatch;
use crate::unwritten::Unwritten;

/// Takes a callback all the way: verify, guard, claim, run, settle, answer.
///
/// A receiver is cheap to clone; all clones are one receiver, and one is enough for a process. The
/// crates for web frameworks drive it. Whoever writes an adapter of their own calls, in this order,
/// [`check_method`](Self::check_method), [`read_body`](Self::read_body), [`admit`](Self::admit) and
/// [`deliver`](Self::deliver), and turns the first [`Answer`] that comes out into a response.
#[derive(Clone, Debug)]
pub struct Receiver(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) gate: Gate,
    pub(crate) report: Report,
    pub(crate) overdue: Overdue,
    pub(crate) owners: Owners,
    pub(crate) unwritten: Unwritten,
    skew: SkewWatch,
}

/// A callback that has passed verification and guard, for [`Receiver::deliver`] to hand to a handler.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub(crate) callback: RecordCallback,
    pub(crate) key: DeliveryKey,
}

impl Admitted {
    /// The callback.
    pub fn callback(&self) -> &RecordCallback {
        &self.callback
    }

    /// The callback, for whoever does without the delivery guarantees.
    pub fn into_callback(self) -> RecordCallback {
        self.callback
    }
}

impl Receiver {
    /// Starts to configure a receiver.
    pub fn builder(verifier: Verifier) -> ReceiverBuilder {
        ReceiverBuilder::new(verifier)
    }

    /// Lets only `POST` through.
    ///
    /// # Errors
    ///
    /// The answer `405`.
    pub fn check_method(&self, is_post: bool) -> Result<(), Answer> {
        if is_post {
            Ok(())
        } else {
            Err(self.reject(&Rejection::method_not_allowed()))
        }
    }

    /// Reads a body under the limit and the deadline. `declared` is the length that the sender has
    /// announced, `poll_chunk` asks the framework for the next piece.
    ///
    /// # Errors
    ///
    /// The answer to a body that is too long, too slow or broken off.
    pub async fn read_body<B: Buf, E>(
        &self,
        declared: Option<u64>,
        poll_chunk: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<B, E>>>,
    ) -> Result<Bytes, Answer> {
        let config = &self.0.config;
        body::read(
            declared,
            poll_chunk,
            config.body_limit,
            config.body_deadline,
        )
        .await
        .map_err(|rejection| self.reject(&rejection))
    }

    /// Verifies a body and binds its signature to its content. No store is asked.
    ///
    /// # Errors
    ///
    /// The answer to a request that is rejected, or to another event than `record`, which is `1`.
    pub async fn admit(&self, body: &[u8]) -> Result<Admitted, Answer> {
        let now = self.0.config.clock.now();
        match self.0.config.verifier.verify(body, now) {
            Err(rejection) => {
                self.watch_clock(&rejection);
                Err(self.reject_body(&rejection, body))
            }
            Ok(Verified::Other(event)) => {
                self.0.skew.accepted();
                Err(self.ignore(&event, body))
            }
            Ok(Verified::Record(callback)) => {
                self.0.skew.accepted();
                let key = callback.delivery_key();
                if self.guard(&callback, &key, now).await == Binding::Conflict {
                    let reject = self.0.config.guard_mode == GuardMode::Enforce;
                    self.0.report.signature_reused(reject);
                    if reject {
                        return Err(self.reject_body(&Rejection::signature_reused(), body));
                    }
                }
                self.0.report.accepted();
                Ok(Admitted { callback, key })
            }
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        let config = &self.0.config;
        self.0.report.tally.read(
            self.0.gate.running(),
            config.memory_guard.evictions(),
            config.store.evictions(),
        )
    }

    /// Ends in good order: further callbacks are answered `503`, handlers that run may finish within
    /// the handler timeout, and what runs then is stopped and settled as failed, so that a retry can
    /// be taken by another process at once.
    ///
    /// Call it before the server is stopped, or while it shuts down, and wait for it. It can be called
    /// again.
    pub async fn shutdown(&self) {
        let gate = &self.0.gate;
        gate.close();
        if tokio::time::timeout(self.0.config.handler_timeout, gate.drained())
            .await
            .is_err()
        {
            gate.abort();
            // A handler that blocks its thread does not notice, and is not waited for.
            let _ = tokio::time::timeout(self.0.store_patience(), gate.drained()).await;
        }
    }

    pub(crate) fn new(config: Config) -> Self {
        Self(Arc::new(Inner {
            gate: Gate::new(config.max_in_flight),
            config,
            report: Report::default(),
            overdue: Overdue::default(),
            owners: Owners::new(),
            unwritten: Unwritten::default(),
            skew: SkewWatch::default(),
        }))
    }

    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    async fn guard(
        &self,
        callback: &RecordCallback,
        key: &DeliveryKey,
        now: UnixSeconds,
    ) -> Binding {
        let config = &self.0.config;
        if config.guard_mode == GuardMode::Off {
            return Binding::First;
        }
        let fresh_until = callback
            .timestamp()
            .saturating_add(config.verifier.past_tolerance());
        let check = ReplayCheck {
            signature: *callback.signature().as_bytes(),
            content: key.content_digest(),
            now,
            keep_until: fresh_until.saturating_add(MEMORY_MARGIN),
        };
        let Some(guard) = &config.guard else {
            return config.memory_guard.bind_now(&check);
        };
        let answer = tokio::time::timeout(config.store_timeout, guard.bind(&check)).await;
        match answer.unwrap_or_else(|_| Err(crate::StoreError::timeout())) {
            Ok(binding) => binding,
            Err(error) => {
                // The guard is a mitigation: to reject everything without it would lose recordings.
                self.0.report.guard_fallback(&error);
                config.memory_guard.bind_now(&check)
            }
        }
    }

    fn ignore(&self, event: &OtherEvent, body: &[u8]) -> Answer {
        if self.0.config.reject_other_events {
            return self.reject_body(&Rejection::unexpected_event(), body);
        }
        self.0.report.ignored(event);
        if let Some(hook) = &self.0.config.hooks.ignored {
            hooks::call(|| hook(event));
        }
        Verdict::Ignored.into()
    }

    fn reject_body(&self, rejection: &Rejection, body: &[u8]) -> Answer {
        if let Some(hook) = self
            .0
            .config
            .hooks
            .quarantine
            .as_ref()
            .filter(|_| rejection.is_signed())
        {
            hooks::call(|| hook(&Quarantined { rejection, body }));
        }
        self.reject(rejection)
    }

    fn reject(&self, rejection: &Rejection) -> Answer {
        self.0
            .report
            .rejected(rejection, self.0.config.clock.monotonic());
        if let Some(hook) = &self.0.config.hooks.rejected {
            hooks::call(|| hook(rejection));
        }
        rejection.into()
    }

    fn watch_clock(&self, rejection: &Rejection) {
        if let Some(skew) = rejection
            .clock_offset()
            .and_then(|offset| self.0.skew.rejected(offset))
        {
            self.0.report.clock_skew(skew);
        }
    }
}
