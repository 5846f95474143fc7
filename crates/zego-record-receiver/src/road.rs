//! The second half of the way: claim, run, settle, answer.
//!
//! It runs in a task of its own. Most servers drop a request's future when the client goes away; the
//! handler must not be dropped with it, since its effect may be half done.

use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use zego_record_core::{DeliveryKey, RecordCallback, Verdict};

use crate::abandoned::Watch;
use crate::answer::Answer;
use crate::builder::StoreFailure;
use crate::delivery::{Delivery, HandlerError};
use crate::gate::Pass;
use crate::hooks;
use crate::receiver::{Admitted, Inner, Receiver};
use crate::report::log::{self, CallbackSpan};
use crate::store::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, Lease, Owner, Settled, Settlement, StoreError,
};

const STORE_TRIES: u32 = 3;
const STORE_PAUSE: Duration = Duration::from_millis(20);
/// If the claim has taken longer than this, the lease starts anew, so that it outlives the handler.
const SLOW_CLAIM: Duration = Duration::from_secs(1);
/// How often it is tried in the background to write that a delivery is done; each pause is twice as
/// long as the one before, two minutes in total.
const DONE_TRIES: u32 = 10;
const DONE_PAUSE: Duration = Duration::from_millis(100);

/// What a handler gives back if it has something to say besides success or failure, such as the
/// response of a service that was wrapped.
#[derive(Debug)]
pub struct Outcome<T> {
    /// What the delivery is settled by.
    pub result: Result<(), HandlerError>,
    /// What [`Receiver::deliver`] passes on.
    pub output: T,
}

/// What a handler may give back.
pub trait IntoOutcome {
    /// What it has to say besides success or failure.
    type Output;

    /// Splits the two.
    fn into_outcome(self) -> Outcome<Self::Output>;
}

impl IntoOutcome for Result<(), HandlerError> {
    type Output = ();

    fn into_outcome(self) -> Outcome<()> {
        Outcome {
            result: self,
            output: (),
        }
    }
}

impl<T> IntoOutcome for Outcome<T> {
    type Output = T;

    fn into_outcome(self) -> Self {
        self
    }
}

impl Receiver {
    /// Claims the delivery, runs the handler in a task of its own and settles what became of it.
    ///
    /// The future that is returned only waits for the task: when it is dropped, the handler runs on,
    /// and the next retry gets its answer. Next to the answer comes what the handler has to say
    /// besides, if it was run to its end.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn deliver<H, F>(
        &self,
        admitted: Admitted,
        handler: H,
    ) -> (Answer, Option<<F::Output as IntoOutcome>::Output>)
    where
        H: FnOnce(Delivery) -> F + Send + 'static,
        F: Future<Output: IntoOutcome<Output: Send>> + Send + 'static,
        <F::Output as IntoOutcome>::Output: 'static,
    {
        let task = tokio::spawn(self.clone().process(admitted, handler));
        self.answer_of(task.await)
    }

    /// As [`deliver`](Self::deliver), for a handler that stays on its thread.
    ///
    /// # Panics
    ///
    /// Outside of a `LocalSet`, which actix runs everything in.
    pub async fn deliver_local<H, F>(
        &self,
        admitted: Admitted,
        handler: H,
    ) -> (Answer, Option<<F::Output as IntoOutcome>::Output>)
    where
        H: FnOnce(Delivery) -> F + 'static,
        F: Future<Output: IntoOutcome> + 'static,
        <F::Output as IntoOutcome>::Output: 'static,
    {
        let task = tokio::task::spawn_local(self.clone().process(admitted, handler));
        self.answer_of(task.await)
    }

    fn answer_of<T>(
        &self,
        ended: Result<(Answer, Option<T>), tokio::task::JoinError>,
    ) -> (Answer, Option<T>) {
        // A handler's panic does not come here; what does is a store that panics, or a runtime that
        // shuts down around us.
        ended.unwrap_or_else(|_| {
            self.0.report.answered(Verdict::HandlerFailed);
            (Verdict::HandlerFailed.into(), None)
        })
    }

    async fn process<H, F, O>(self, admitted: Admitted, handler: H) -> (Answer, Option<O::Output>)
    where
        H: FnOnce(Delivery) -> F,
        F: Future<Output = O>,
        O: IntoOutcome,
    {
        let Admitted { callback, key } = admitted;
        let span = CallbackSpan::new(&callback);
        span.cover(async {
            let (verdict, output) = match self.0.gate.enter() {
                Some(pass) => {
                    self.claim_and_run(&callback, key, handler, pass, &span)
                        .await
                }
                None => (Verdict::Busy, None),
            };
            span.verdict(verdict);
            self.0.report.answered(verdict);
            self.watch_for_retry(key, callback, verdict);
            (verdict.into(), output)
        })
        .await
    }

    async fn claim_and_run<H, F, O>(
        &self,
        callback: &RecordCallback,
        key: DeliveryKey,
        handler: H,
        pass: Pass,
        span: &CallbackSpan,
    ) -> (Verdict, Option<O::Output>)
    where
        H: FnOnce(Delivery) -> F,
        F: Future<Output = O>,
        O: IntoOutcome,
    {
        let config = &self.0.config;
        let claim = Claim {
            key,
            event_id: callback.event_id(),
            owner: self.0.owners.next(),
            lease: config.lease,
            retention: config.retention,
        };
        let lease = match self.0.claim(&claim).await {
            Ok(lease) => lease,
            Err(verdict) => return (verdict, None),
        };
        let delivery = Delivery {
            callback: callback.clone(),
            attempt: lease.map_or(1, |lease| lease.epoch),
            changed: lease.is_some_and(|lease| lease.changed),
            unguarded: lease.is_none(),
        };
        span.attempt(delivery.attempt);
        // In a box from the beginning: it may be large, and would be copied on its way into the task.
        let run = Box::pin(async { handler(delivery).await.into_outcome() });
        let (verdict, output) = self.0.run(run).await;
        if lease.is_some() {
            self.settle(claim, verdict, pass).await;
        }
        (verdict, output)
    }

    async fn settle(&self, claim: Claim, verdict: Verdict, pass: Pass) {
        let done = verdict
            .is_success()
            .then(|| self.0.unwritten.insert(claim.key));
        let settlement = if done.is_some() {
            Settlement::Done
        } else {
            Settlement::Failed
        };
        let Err(error) = self
            .0
            .ask_store(|store| store.settle(&claim, settlement))
            .await
        else {
            return;
        };
        log::store_failed("delivery store", &error);
        if let Some(done) = done {
            // The effect is done and will be answered so. As long as that is not written, a retry could
            // run the handler a second time in another process.
            let receiver = self.clone();
            tokio::spawn(async move {
                receiver.write_done(&claim, pass).await;
                // A claim that the store granted before may still be on its way back to us.
                tokio::time::sleep(receiver.0.store_patience()).await;
                drop(done);
            });
        }
    }

    /// Keeps its pass, so that a shutdown waits for it and a store that is gone slows us down.
    async fn write_done(&self, claim: &Claim, _pass: Pass) {
        for attempt in 0..DONE_TRIES {
            let pause = tokio::time::sleep(DONE_PAUSE * 2_u32.pow(attempt));
            if first_of(pause, self.0.gate.aborted()).await.is_err() {
                return;
            }
            if self
                .0
                .ask_store(|store| store.settle(claim, Settlement::Done))
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    fn watch_for_retry(&self, key: DeliveryKey, callback: RecordCallback, verdict: Verdict) {
        if verdict.is_success() {
            self.0.overdue.done(&key);
        }
        // With `in_progress`, it is the handler that runs whose end will tell.
        if verdict.is_success() || verdict == Verdict::InProgress {
            return;
        }
        let Some(mut due) = self.0.overdue.failed(key, callback, verdict) else {
            return;
        };
        let inner = self.downgrade();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep_until(due).await;
                let Some(inner) = inner.upgrade() else { return };
                match inner.overdue.look(&key) {
                    Watch::SleepUntil(later) => due = later,
                    Watch::Over => return,
                    Watch::GivenUp(abandoned) => {
                        log::abandoned(&abandoned.callback, abandoned.verdict);
                        if let Some(hook) = &inner.config.hooks.abandoned {
                            hooks::call(|| hook(&abandoned));
                        }
                        return;
                    }
                }
            }
        });
    }
}

impl Inner {
    /// A lease, or `None` to run without one, or the verdict if the handler is not to run.
    async fn claim(&self, claim: &Claim) -> Result<Option<Lease>, Verdict> {
        let claimed = self.ask_for_lease(claim).await;
        // Not sooner, since it may have become so while the store was asked.
        if !self.unwritten.contains(&claim.key) {
            return claimed;
        }
        if let Ok(Some(_)) = claimed {
            // The store can be reached again. Not to use the lease would keep other processes waiting.
            let done = self.ask_store(|store| store.settle(claim, Settlement::Done));
            if let Err(error) = done.await {
                log::store_failed("delivery store", &error);
            }
        }
        Err(Verdict::Duplicate)
    }

    async fn ask_for_lease(&self, claim: &Claim) -> Result<Option<Lease>, Verdict> {
        let begin = self.config.clock.monotonic();
        let lease = match self.ask_store(|store| store.claim(claim)).await {
            Ok(ClaimOutcome::Run(lease)) => lease,
            Ok(ClaimOutcome::Busy) => return Err(Verdict::InProgress),
            Ok(ClaimOutcome::Done) => return Err(Verdict::Duplicate),
            Ok(ClaimOutcome::Full) => return Err(Verdict::Busy),
            Err(error) => {
                log::store_failed("delivery store", &error);
                return match self.config.store_failure {
                    StoreFailure::Reject => Err(Verdict::StoreUnavailable),
                    StoreFailure::RunWithoutDeduplication => Ok(None),
                };
            }
        };
        if !self.is_slow(begin) {
            return Ok(Some(lease));
        }
        let begin = self.config.clock.monotonic();
        let extended = self
            .ask_store(|store| store.settle(claim, Settlement::Extend))
            .await;
        match extended {
            Ok(Settled::Applied) if !self.is_slow(begin) => Ok(Some(lease)),
            Ok(Settled::Stale) => Err(Verdict::InProgress),
            Ok(Settled::Applied) | Err(_) => {
                // A store that is this slow gives leases that may run out before the handler does. What
                // cannot be given back runs out by itself.
                let failed = self.ask_store(|store| store.settle(claim, Settlement::Failed));
                if let Err(error) = failed.await {
                    log::store_failed("delivery store", &error);
                }
                Err(Verdict::StoreUnavailable)
            }
        }
    }

    /// Whether a request to the store that began then took so long that its lease is no longer good.
    fn is_slow(&self, begin: Duration) -> bool {
        self.config.clock.monotonic().saturating_sub(begin) > SLOW_CLAIM
    }

    /// Runs the handler until it ends, panics, is out of time, or a shutdown has waited long enough.
    async fn run<T>(
        &self,
        handler: Pin<Box<impl Future<Output = Outcome<T>>>>,
    ) -> (Verdict, Option<T>) {
        let mut handler = Some(handler);
        let mut timeout = pin!(tokio::time::sleep(self.config.handler_timeout));
        let mut aborted = pin!(self.gate.aborted());
        let ended = std::future::poll_fn(|context| {
            let Some(running) = &mut handler else {
                return Poll::Ready(Ended::Panicked);
            };
            match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
                Err(_) => Poll::Ready(Ended::Panicked),
                Ok(Poll::Ready(outcome)) => Poll::Ready(Ended::Returned(outcome)),
                Ok(Poll::Pending) => {
                    if timeout.as_mut().poll(context).is_ready()
                        || aborted.as_mut().poll(context).is_ready()
                    {
                        Poll::Ready(Ended::OutOfTime)
                    } else {
                        Poll::Pending
                    }
                }
            }
        })
        .await;
        // Whatever the handler holds is let go before the delivery is settled; that may panic, too.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(handler.take())));
        match ended {
            Ended::Returned(Outcome {
                result: Ok(()),
                output,
            }) => (Verdict::Handled, Some(output)),
            Ended::Returned(Outcome {
                result: Err(error),
                output,
            }) if error.is_discard() => {
                log::discarded(&error);
                (Verdict::Discarded, Some(output))
            }
            Ended::Returned(Outcome {
                result: Err(error),
                output,
            }) => {
                log::handler_failed(&error);
                (Verdict::HandlerFailed, Some(output))
            }
            Ended::OutOfTime if dropped.is_ok() => {
                log::handler_timed_out(self.config.handler_timeout);
                (Verdict::HandlerTimeout, None)
            }
            Ended::OutOfTime | Ended::Panicked => {
                log::handler_panicked();
                (Verdict::HandlerFailed, None)
            }
        }
    }

    /// What [`ask_store`](Self::ask_store) takes at most, with its tries and the pauses between them.
    pub(crate) fn store_patience(&self) -> Duration {
        let pauses = STORE_PAUSE * STORE_TRIES * STORE_TRIES;
        self.config
            .store_timeout
            .saturating_mul(STORE_TRIES)
            .saturating_add(pauses)
    }

    /// Asks the store, and asks again at once if the trouble may pass.
    async fn ask_store<'a, T>(
        &'a self,
        request: impl Fn(&'a dyn DeliveryStore) -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut tries = 1;
        loop {
            let answer =
                tokio::time::timeout(self.config.store_timeout, request(&*self.config.store));
            match answer.await.unwrap_or_else(|_| Err(StoreError::timeout())) {
                Err(error) if error.is_passing() && tries < STORE_TRIES => {
                    tokio::time::sleep(STORE_PAUSE * tries).await;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }
}

enum Ended<T> {
    Returned(Outcome<T>),
    Panicked,
    OutOfTime,
}

/// `Ok` if the first future was ready first, `Err` if the second.
async fn first_of(first: impl Future, second: impl Future) -> Result<(), ()> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    std::future::poll_fn(|context| {
        if first.as_mut().poll(context).is_ready() {
            Poll::Ready(Ok(()))
        } else {
            second.as_mut().poll(context).map(|_| Err(()))
        }
    })
    .await
}

/// Makes owners that are unique among all receivers that share a store.
#[derive(Debug)]
pub(crate) struct Owners {
    receiver: u64,
    next: AtomicU64,
}

impl Owners {
    /// The random keys of the standard library's hasher come from the operating system, which is all
    /// that is needed to tell processes apart.
    pub(crate) fn new() -> Self {
        Self {
            receiver: RandomState::new().hash_one("owner"),
            next: AtomicU64::new(1),
        }
    }

    fn next(&self) -> Owner {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Owner::new(u128::from(self.receiver) << 64 | u128::from(number))
    }
}
