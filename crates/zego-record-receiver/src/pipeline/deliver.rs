//! Delivers a verified callback to the handler: claim, run, settle.
//!
//! All of it happens in a task of its own. Most servers drop the future of a request when its client
//! disconnects; the handler must not be dropped with it, since its effect may be half done.

use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;
use zego_record_core::{DeliveryKey, RecordCallback, Verdict};

use super::claim::Claimed;
use super::run::Ended;
use crate::background;
use crate::concurrency::Permit;
use crate::delivery::{Delivery, HandlerError};
use crate::hooks::{Abandoned, Delivered};
use crate::outcome::Outcome;
use crate::panics::catch;
use crate::receiver::{Inner, Receiver};
use crate::store::{Claim, Owner, StoreError};
use crate::telemetry::CallbackSpan;

/// One attempt to deliver one callback.
pub(super) struct Attempt {
    receiver: Receiver,
    callback: RecordCallback,
    key: DeliveryKey,
    span: CallbackSpan,
}

/// What is left of an attempt if its task ends without a result.
pub(super) struct Trace {
    receiver: Receiver,
    callback: RecordCallback,
}

/// What is to be reported of an attempt.
struct Report {
    verdict: Verdict,
    attempt: Option<u32>,
    error: Option<HandlerError>,
    elapsed: Option<Duration>,
}

impl Attempt {
    /// The span is a child of the caller's, which the task would not see.
    pub(super) fn new(receiver: Receiver, callback: RecordCallback) -> Self {
        Self {
            key: callback.delivery_key(),
            span: CallbackSpan::new(&callback),
            receiver,
            callback,
        }
    }

    pub(super) fn trace(&self) -> Trace {
        Trace {
            receiver: self.receiver.clone(),
            callback: self.callback.clone(),
        }
    }

    pub(super) async fn run<H, F, T>(self, handler: H) -> (Verdict, Option<T>)
    where
        H: FnOnce(Delivery) -> F,
        F: Future<Output = Outcome<T>>,
    {
        self.span
            .cover(async {
                background::ensure_running(&self.receiver);
                let mut handler = Some(handler);
                let (report, output) = match self.receiver.0.concurrency.try_acquire() {
                    Some(permit) => self.claim_and_run(permit, &mut handler).await,
                    None => (Report::not_run(Verdict::Busy), None),
                };
                // One that was not run is the user's as well, and may panic when it is dropped.
                let _ = catch(|| drop(handler));
                self.span.verdict(report.verdict);
                report.publish(&self.receiver, &self.callback);
                // The handler's error is the user's, and may panic when it is dropped.
                let verdict = report.verdict;
                let _ = catch(|| drop(report));
                (verdict, output)
            })
            .await
    }

    async fn claim_and_run<H, F, T>(
        &self,
        permit: Permit,
        handler: &mut Option<H>,
    ) -> (Report, Option<T>)
    where
        H: FnOnce(Delivery) -> F,
        F: Future<Output = Outcome<T>>,
    {
        let inner = &*self.receiver.0;
        let claim = match inner.new_claim(self.key, self.callback.event_id()) {
            Ok(claim) => claim,
            Err(error) => {
                inner.telemetry.store_failed(&error);
                return (Report::not_run(Verdict::StoreUnavailable), None);
            }
        };
        let claimed = match inner.claim(&claim).await {
            Ok(claimed) => claimed,
            Err(refused) => {
                if refused.may_be_granted {
                    self.receiver.give_back(claim, permit);
                }
                return (Report::not_run(refused.verdict), None);
            }
        };
        let delivery = claimed.delivery(self.callback.clone());
        let attempt = delivery.attempt();
        self.span.attempt(attempt);
        inner.telemetry.in_flight(inner.concurrency.in_flight());
        let began = Instant::now();
        let ended = inner
            .run(claimed.deadline(inner), handler.take(), delivery)
            .await;
        let elapsed = began.elapsed();
        let (verdict, error, output) = ended.into_parts();
        if claimed.is_leased() {
            self.receiver.settle(claim, verdict, permit).await;
        }
        inner.telemetry.in_flight(inner.concurrency.in_flight());
        let report = Report {
            verdict,
            attempt: Some(attempt),
            error,
            elapsed: Some(elapsed),
        };
        (report, output)
    }
}

impl Trace {
    /// A panic of the handler does not get here, nor one of a store, guard or hook. What does is a
    /// runtime that shuts down around the task, or a subscriber that panics.
    pub(super) fn outcome_of<T>(
        self,
        ended: Result<(Verdict, Option<T>), JoinError>,
    ) -> (Verdict, Option<T>) {
        ended.unwrap_or_else(|_| {
            let report = Report::not_run(Verdict::HandlerFailed);
            report.publish(&self.receiver, &self.callback);
            (report.verdict, None)
        })
    }
}

impl Report {
    fn not_run(verdict: Verdict) -> Self {
        Self {
            verdict,
            attempt: None,
            error: None,
            elapsed: None,
        }
    }

    fn publish(&self, receiver: &Receiver, callback: &RecordCallback) {
        let inner = &*receiver.0;
        let key = callback.delivery_key();
        if self.verdict.is_success() {
            inner.missing_retries.succeeded(&key);
        } else if self.verdict != Verdict::InProgress {
            // With `in_progress`, the end of the handler that runs will tell.
            let failure = Abandoned::new(callback.clone(), self.verdict);
            background::watch_for_retry(receiver, key, failure);
        }
        let delivered = Delivered {
            callback,
            verdict: self.verdict,
            attempt: self.attempt,
            error: self.error.as_ref(),
            elapsed: self.elapsed,
        };
        inner.telemetry.delivered(&delivered);
        inner.config.hooks.delivery(&delivered);
    }
}

impl Inner {
    fn new_claim(&self, key: DeliveryKey, event_id: String) -> Result<Claim, StoreError> {
        let claim = Claim::new(key, event_id, Owner::random()?);
        Ok(claim
            .with_lease(self.config.lease)
            .with_retention(self.config.retention))
    }
}

impl<T> Ended<T> {
    fn into_parts(self) -> (Verdict, Option<HandlerError>, Option<T>) {
        match self {
            Self::Returned(Outcome { result, output }) => match result {
                Ok(()) => (Verdict::Handled, None, Some(output)),
                Err(error) if error.is_discard() => (Verdict::Discarded, Some(error), Some(output)),
                Err(error) => (Verdict::HandlerFailed, Some(error), Some(output)),
            },
            Self::Panicked => (Verdict::HandlerFailed, None, None),
            Self::OutOfTime => (Verdict::HandlerTimeout, None, None),
        }
    }
}

impl Claimed {
    fn delivery(&self, callback: RecordCallback) -> Delivery {
        let delivery = Delivery::new(callback);
        match self.lease {
            Some(lease) => delivery
                .with_attempt(lease.epoch)
                .with_changed(lease.changed),
            None => delivery.with_deduplicated(false),
        }
    }

    /// The handler's timeout, or the end of the lease if a stall has used it up.
    fn deadline(&self, inner: &Inner) -> Instant {
        let timeout = Instant::now() + inner.config.handler_timeout;
        timeout.min(self.lease_ends)
    }

    fn is_leased(&self) -> bool {
        self.lease.is_some()
    }
}
