//! The fake ZEGOCLOUD: carries out a plan over a transport, on tokio's clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use zego_record_core::UnixSeconds;
use zego_record_testkit::SignedRequest;

use super::callbacks::{Callbacks, tampered};
use super::plan::{DropAnswer, Duplicate, Pace, Plan, Step};
use super::progress::Progress;
use super::schedule::Schedule;
use super::transport::{Outgoing, Transport};
use super::verdict::{Attempt, Kind, Next, Reply, Verdict, next};

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
}

impl Pacing {
    /// One request at a time on the given schedule, with a timeout of ten seconds.
    pub const fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            resign: false,
            rate: None,
            concurrency: 1,
            timeout: Duration::from_secs(10),
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
        }
    }

    /// What has happened so far, to be watched while it runs.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Carries out the plan. When `stop` is ready it begins nothing new and gives up what is under way;
    /// the deliveries that were done by then are returned.
    pub async fn run(self, plan: &Plan, stop: impl Future<Output = ()>) -> Vec<Delivery> {
        let sender = Arc::new(self);
        let mut tasks = JoinSet::new();
        let mut deliveries = Vec::new();
        let mut stop = std::pin::pin!(stop);
        let mut steps = plan.steps().iter().enumerate();
        let mut upcoming = steps.next();
        let mut start = Box::pin(Arc::clone(&sender).start(0));
        while upcoming.is_some() || !tasks.is_empty() {
            tokio::select! {
                biased;
                () = &mut stop => break,
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
        deliveries
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
        let request = self.callbacks.request(&step, self.now());
        if let Some(rejected) = step.rejected {
            let (delivery, _) = self
                .deliver(&step, rejected.into(), request, Some(permit))
                .await;
            return vec![delivery];
        }
        let callback = self.deliver(&step, Kind::Callback, request.clone(), Some(permit));
        if step.duplicate == Some(Duplicate::AtOnce) {
            let duplicate = self.deliver(&step, Kind::Duplicate, self.again(&request), None);
            let ((callback, sent), (duplicate, _)) = tokio::join!(callback, duplicate);
            return self.follow_up(&step, sent, vec![callback, duplicate]).await;
        }
        let (callback, sent) = callback.await;
        self.follow_up(&step, sent, vec![callback]).await
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
            attempts.push(self.attempt(&request, step.pace, drop_answer).await);
            drop(running);
            match next(kind, &attempts, self.pacing.schedule) {
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
                    sleep_until(self.began + at).await;
                    self.progress.waits_for_retry(false);
                    request = self.again(&request);
                }
            }
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
        let reply = reply.unwrap_or(Reply::TimedOut);
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
