//! One attempt: restore the callback, run the handler, settle.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use zego_record_core::{RecordCallback, RestoreErrorKind};
use zego_record_receiver::support::catch;
use zego_record_receiver::{HandlerError, HandlerErrorKind};

use super::Inner;
use super::lease::Lease;
use super::settle::Recorded;
use crate::delivery::Delivery;
use crate::hooks::{AttemptReport, DeadLetter};
use crate::store::{Claimed, Next, Note, RunEnded};
use crate::telemetry::AttemptSpan;

/// A callback in a form that this version does not know is left to a newer worker for this long.
const LEFT_TO_OTHERS: Duration = Duration::from_secs(5 * 60);

/// How a run of the handler has ended.
enum Ended {
    Returned(Result<(), HandlerError>),
    Panicked,
    OutOfTime,
    /// A shutdown has waited long enough.
    Aborted,
    /// Somebody else may run it.
    LeaseLost,
}

impl Inner {
    pub(super) async fn attempt(self: Arc<Self>, claimed: Claimed, lease_ends: Instant) {
        let span = AttemptSpan::new(&claimed);
        let attempt = async {
            match claimed.callback.restore() {
                Ok(callback) => self.attempt_callback(&claimed, callback, lease_ends).await,
                Err(error) => {
                    let next = match error.kind() {
                        RestoreErrorKind::UnknownVersion => Next::Release(LEFT_TO_OTHERS),
                        _ => Next::Dead,
                    };
                    self.telemetry.corrupt(&claimed.callback.key, error);
                    let ended = RunEnded::new(next, Note::new(error.to_string()));
                    let recorded = self.settle(&claimed.hold, &ended, lease_ends).await;
                    if recorded != Recorded::No {
                        self.report(&claimed, None, &ended, None, None);
                    }
                }
            }
        };
        span.cover(attempt).await;
    }

    async fn attempt_callback(
        self: &Arc<Self>,
        claimed: &Claimed,
        callback: RecordCallback,
        lease_ends: Instant,
    ) {
        if claimed.attempt > self.schedule.max_attempts() {
            // The worker of the last one was cut off, perhaps by what the handler did.
            let note = Note::new("the last attempt was interrupted, and there is no further one");
            let ended = RunEnded::new(Next::Dead, note);
            let recorded = self.settle(&claimed.hold, &ended, lease_ends).await;
            if recorded != Recorded::No {
                self.report(claimed, Some(&callback), &ended, None, None);
            }
            return;
        }
        let delivery =
            Delivery::of_run(callback.clone(), claimed.hold, claimed.callback.received_at)
                .with_attempt(claimed.attempt)
                .with_changed(claimed.changed)
                .with_renewals(claimed.renewals);
        let (commit, note) = (delivery.commit_state(), delivery.note_of_attempt());
        let lease = Lease::keep(self, claimed.hold, Arc::clone(&commit), lease_ends);
        self.telemetry.running(1);
        let began = Instant::now();
        let ended = self.run(delivery, &lease).await;
        let elapsed = began.elapsed();
        self.telemetry.running(-1);
        if matches!(ended, Ended::LeaseLost) {
            self.telemetry.lease_lost();
            return;
        }
        let (next, error) = if commit.is_committed() {
            (Next::Done, None)
        } else {
            self.decide(ended, claimed.attempt)
        };
        let note = note.take().unwrap_or_else(|| {
            Note::new(
                error
                    .as_ref()
                    .map_or_else(String::new, HandlerError::describe),
            )
        });
        let ended = RunEnded::new(next, note);
        let recorded = if commit.is_committed() {
            Recorded::Yes
        } else {
            self.settle_keeping(&claimed.hold, &ended, &lease).await
        };
        drop(lease);
        // What has become of it otherwise is for others to report.
        if recorded != Recorded::No {
            self.report(
                claimed,
                Some(&callback),
                &ended,
                error.as_ref(),
                Some(elapsed),
            );
        }
        // The handler's error is the user's, and may panic when it is dropped.
        let _ = catch(|| drop(error));
    }

    /// Runs the handler until it ends, panics, or has to stop.
    ///
    /// Time, lease and shutdown are looked at before the handler, each time: one that is always ready, or
    /// whose thread was stalled until its lease had ended, must not go on. They are looked at by themselves
    /// and not through their futures, which are pending once the handler has used up the task's budget.
    async fn run(&self, delivery: Delivery, lease: &Lease) -> Ended {
        let deadline = Instant::now() + self.handler_timeout;
        let mut handler = catch(|| (self.handler)(delivery));
        let alarm = || async {
            tokio::select! {
                () = lease.ended() => {}
                () = self.phase.aborting() => {}
                () = sleep_until(deadline) => {}
            }
        };
        let mut wake_up = pin!(alarm());
        let ended = poll_fn(|context| {
            if let Some(ended) = self.must_stop(lease, deadline) {
                return Poll::Ready(ended);
            }
            let Some(running) = &mut handler else {
                return Poll::Ready(Ended::Panicked);
            };
            match catch(|| running.as_mut().poll(context)) {
                None => return Poll::Ready(Ended::Panicked),
                Some(Poll::Ready(result)) => return Poll::Ready(Ended::Returned(result)),
                Some(Poll::Pending) => {}
            }
            while wake_up.as_mut().poll(context).is_ready() {
                if let Some(ended) = self.must_stop(lease, deadline) {
                    return Poll::Ready(ended);
                }
                // The lease was extended just now.
                wake_up.set(alarm());
            }
            Poll::Pending
        })
        .await;
        // What the handler holds is released before the run is settled; that may panic as well.
        match (catch(|| drop(handler.take())), ended) {
            (None, Ended::OutOfTime) => Ended::Panicked,
            (_, ended) => ended,
        }
    }

    fn must_stop(&self, lease: &Lease, deadline: Instant) -> Option<Ended> {
        if lease.has_ended() {
            Some(Ended::LeaseLost)
        } else if self.phase.is_aborting() {
            Some(Ended::Aborted)
        } else {
            (Instant::now() >= deadline).then_some(Ended::OutOfTime)
        }
    }

    fn decide(&self, ended: Ended, attempt: u32) -> (Next, Option<HandlerError>) {
        let failed = |delay: Option<Duration>, error| {
            let scheduled = self.schedule.next_delay(attempt);
            let next = scheduled.map_or(Next::Dead, |scheduled| {
                Next::Retry(delay.unwrap_or(scheduled))
            });
            (next, Some(error))
        };
        match ended {
            Ended::Returned(Ok(())) => (Next::Done, None),
            Ended::Returned(Err(error)) => match error.kind() {
                HandlerErrorKind::Discard => (Next::Discarded, Some(error)),
                HandlerErrorKind::DeadLetter => (Next::Dead, Some(error)),
                HandlerErrorKind::Postpone(delay) => (Next::Release(delay), Some(error)),
                HandlerErrorKind::RetryAfter(delay) => failed(Some(delay), error),
                _ => failed(None, error),
            },
            Ended::Panicked => failed(None, HandlerError::retry("the handler panicked")),
            Ended::OutOfTime => {
                let timeout = self.handler_timeout;
                let text = format!("the handler was not done within {timeout:?} and was stopped");
                failed(None, HandlerError::retry(text))
            }
            Ended::Aborted | Ended::LeaseLost => {
                let error = HandlerError::retry("the worker was shut down");
                (Next::Release(Duration::ZERO), Some(error))
            }
        }
    }

    fn report(
        &self,
        claimed: &Claimed,
        callback: Option<&RecordCallback>,
        ended: &RunEnded,
        error: Option<&HandlerError>,
        elapsed: Option<Duration>,
    ) {
        self.telemetry.ended(claimed, ended, elapsed);
        self.hooks.attempt(&AttemptReport {
            claimed,
            callback,
            ended,
            error,
            elapsed,
        });
        if ended.next == Next::Dead {
            self.hooks.dead(&DeadLetter {
                key: claimed.callback.key,
                callback,
                note: &ended.note,
            });
        }
    }
}
