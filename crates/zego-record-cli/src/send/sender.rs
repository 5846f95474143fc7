//! The fake ZEGOCLOUD: carries out a plan over a transport, on tokio's clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use zego_record_core::UnixSeconds;
use zego_record_testkit::SignedRequest;

use super::callbacks::{Callbacks, tampered};
use super::plan::{DropAnswer, Duplicate, Pace, Plan, Rejected, Step};
use super::progress::Progress;
use super::schedule::Schedule;
use super::transport::{Outgoing, Transport};
use super::verdict::{Attempt, Kind, Next, RejectedStatuses, Reply, Verdict, next};

/// How a plan is carried out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pacing {
    /// When callbacks are sent again.
    pub schedule: Schedule,
    /// Whether a retry and a duplicate are signed anew.
    pub resign: bool,
    /// How many callbacks are begun in a second; as many as there can be if `None`.
    pub rate: Option<f64>,
    /// How many requests may run at once.
    pub concurrency: usize,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The statuses that prove a rejection.
    pub rejected: RejectedStatuses,
}

impl Pacing {
    /// One request at a time on the given schedule, with a timeout of ten seconds.
    pub fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            resign: false,
            rate: None,
            concurrency: 1,
            timeout: Duration::from_secs(10),
            rejected: RejectedStatuses::default(),
        }
    }
}

/// What became of one request, retries included.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delivery {
    /// The number of the callback, from 0.
    pub callback: u64,
    /// Why it was sent.
    pub kind: Kind,
    /// How its body travelled.
    pub pace: Pace,
    /// Every attempt in its order.
    pub attempts: Vec<Attempt>,
    /// The outcome.
    pub verdict: Verdict,
}

/// Sends callbacks as ZEGOCLOUD does.
#[derive(Debug)]
pub struct Sender<T> {
    transport: T,
    callbacks: Callbacks,
    pacing: Pacing,
    progress: Arc<Progress>,
    permits: Arc<Semaphore>,
    began: Instant,
    wall_clock: UnixSeconds,
    stopping: watch::Sender<bool>,
}

impl<T: Transport> Sender<T> {
    /// A sender whose time begins now, when the wall clock shows `wall_clock`.
    pub fn new(
        transport: T,
        callbacks: Callbacks,
        pacing: Pacing,
        wall_clock: UnixSeconds,
    ) -> Self {
        Self {
            transport,
            callbacks,
            permits: Arc::new(Semaphore::new(pacing.concurrency)),
            pacing,
            progress: Arc::default(),
            began: Instant::now(),
            wall_clock,
            stopping: watch::Sender::new(false),
        }
    }

    /// What has happened so far, to be watched while it runs.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Carries out the plan. When `stop` is ready it begins nothing new and gives up what is under way,
    /// which is returned as unfinished with the attempts that it has had. Nothing is begun either if the
    /// genuine callback that goes before those that must be rejected is not delivered.
    pub async fn run(self, plan: &Plan, stop: impl Future<Output = ()>) -> Vec<Delivery> {
        let sender = Arc::new(self);
        let mut tasks = JoinSet::new();
        let mut deliveries = Vec::new();
        let mut stop = std::pin::pin!(stop);
        if let Some(step) = plan.control() {
            let control = Arc::clone(&sender).control(step);
            let mut control = std::pin::pin!(control);
            let control = tokio::select! {
                biased;
                () = &mut stop => {
                    sender.stopping.send_replace(true);
                    control.await
                }
                control = &mut control => control,
            };
            let delivered = control.verdict == Verdict::Delivered;
            deliveries.push(control);
            if !delivered {
                return deliveries;
            }
        }
        let mut steps = plan.steps().iter().enumerate();
        let mut upcoming = steps.next();
        let mut start = Box::pin(Arc::clone(&sender).start(0));
        while upcoming.is_some() || !tasks.is_empty() {
            tokio::select! {
                biased;
                () = &mut stop => {
                    sender.stopping.send_replace(true);
                    break;
                }
                Some(done) = tasks.join_next() => match done {
                    Ok(done) => deliveries.extend::<Vec<_>>(done),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                permit = &mut start, if upcoming.is_some() => {
                    if let (Some((_, step)), Some(permit)) = (upcoming, permit) {
                        sender.progress.begun();
                        tasks.spawn(Arc::clone(&sender).carry_out(step.clone(), permit));
                    }
                    upcoming = steps.next();
                    let position = upcoming.map_or(0, |(position, _)| position);
                    start = Box::pin(Arc::clone(&sender).start(position));
                }
            }
        }
        drop(start);
        while let Some(done) = tasks.join_next().await {
            deliveries.extend(done.into_iter().flatten());
        }
        deliveries
    }

    async fn control(self: Arc<Self>, step: Step) -> Delivery {
        let request = self.callbacks.control(&step, self.now());
        self.deliver(&step, Kind::Control, request, None).await.0
    }

    /// Waits for the turn of the callback at this position.
    async fn start(self: Arc<Self>, position: usize) -> Option<OwnedSemaphorePermit> {
        if let Some(rate) = self.pacing.rate {
            let offset = Duration::try_from_secs_f64(position as f64 / rate);
            sleep_until(self.began + offset.unwrap_or_default()).await;
        }
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    async fn carry_out(self: Arc<Self>, step: Step, permit: OwnedSemaphorePermit) -> Vec<Delivery> {
        if let Some(rejected) = step.rejected {
            return self.expect_rejection(step, rejected, permit).await;
        }
        let request = self.callbacks.request(&step, self.now());
        let callback = self.deliver(&step, Kind::Callback, request.clone(), Some(permit));
        if step.duplicate == Some(Duplicate::AtOnce) {
            let duplicate = self.deliver(&step, Kind::Duplicate, self.again(&request), None);
            let ((callback, sent), (duplicate, _)) = tokio::join!(callback, duplicate);
            return self.follow_up(&step, sent, vec![callback, duplicate]).await;
        }
        let (callback, sent) = callback.await;
        self.follow_up(&step, sent, vec![callback]).await
    }

    /// There are three ways to have no signature, and a receiver may reject one and accept another.
    async fn expect_rejection(
        &self,
        mut step: Step,
        rejected: Rejected,
        permit: OwnedSemaphorePermit,
    ) -> Vec<Delivery> {
        let variants = match rejected {
            Rejected::Unsigned => &[
                Rejected::Unsigned,
                Rejected::EmptySignature,
                Rejected::NullSignature,
            ][..],
            ref one => std::slice::from_ref(one),
        };
        let mut permit = Some(permit);
        let mut deliveries = Vec::with_capacity(variants.len());
        for variant in variants {
            step.rejected = Some(*variant);
            let request = self.callbacks.request(&step, self.now());
            let delivery = self.deliver(&step, (*variant).into(), request, permit.take());
            deliveries.push(delivery.await.0);
        }
        deliveries
    }

    /// What comes after a callback was delivered; before that, a duplicate would not be one, and a
    /// tampered one would be the first under its signature and rightly accepted.
    async fn follow_up(
        &self,
        step: &Step,
        sent: SignedRequest,
        mut deliveries: Vec<Delivery>,
    ) -> Vec<Delivery> {
        if deliveries[0].verdict != Verdict::Delivered {
            return deliveries;
        }
        if step.duplicate == Some(Duplicate::Later) {
            let again = self.again(&sent);
            deliveries.push(self.deliver(step, Kind::Duplicate, again, None).await.0);
        }
        if step.tamper {
            let forged = tampered(&sent);
            deliveries.push(self.deliver(step, Kind::Tampered, forged, None).await.0);
        }
        deliveries
    }

    /// Sends a request until its verdict is known, and returns what was sent last along with it.
    async fn deliver(
        &self,
        step: &Step,
        kind: Kind,
        mut request: SignedRequest,
        mut permit: Option<OwnedSemaphorePermit>,
    ) -> (Delivery, SignedRequest) {
        let mut attempts = Vec::new();
        loop {
            let drop_answer = step
                .drop_answer
                .filter(|_| kind == Kind::Callback && attempts.is_empty());
            let running = match permit.take() {
                Some(permit) => Some(permit),
                None => Arc::clone(&self.permits).acquire_owned().await.ok(),
            };
            let attempt = self.attempt(&request, step.pace, drop_answer);
            let attempt = self.unless_stopping(attempt).await;
            drop(running);
            let next = match attempt {
                Some(attempt) => {
                    attempts.push(attempt);
                    next(kind, &attempts, self.pacing.schedule, &self.pacing.rejected)
                }
                None => Next::Done(Verdict::Unfinished),
            };
            self.progress
                .failed_first(step.index, kind, &attempts, next);
            match next {
                Next::Done(verdict) => {
                    self.progress.ended(verdict);
                    let delivery = Delivery {
                        callback: step.index,
                        kind,
                        pace: step.pace,
                        attempts,
                        verdict,
                    };
                    return (delivery, request);
                }
                Next::Retry(at) => {
                    self.progress.waits_for_retry(true);
                    self.unless_stopping(sleep_until(self.began + at)).await;
                    self.progress.waits_for_retry(false);
                    request = self.again(&request);
                }
            }
        }
    }

    /// `None` if the run is ended before.
    async fn unless_stopping<O>(&self, work: impl Future<Output = O>) -> Option<O> {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => None,
            done = work => Some(done),
        }
    }

    async fn attempt(
        &self,
        request: &SignedRequest,
        pace: Pace,
        drop_answer: Option<DropAnswer>,
    ) -> Attempt {
        let outgoing = Outgoing {
            request: request.clone().into_http(),
            pace,
            drop_answer,
        };
        let sent = self.began.elapsed();
        let reply = timeout(self.pacing.timeout, self.transport.send(outgoing)).await;
        let reply = reply.unwrap_or(Reply::TimedOut).shortened();
        self.progress.sent();
        Attempt::new(sent, self.began.elapsed(), reply)
    }

    /// The same request, or the same content under a fresh signature.
    fn again(&self, request: &SignedRequest) -> SignedRequest {
        if self.pacing.resign {
            request.resigned(self.now())
        } else {
            request.clone()
        }
    }

    fn now(&self) -> UnixSeconds {
        self.wall_clock.saturating_add(self.began.elapsed())
    }
}
