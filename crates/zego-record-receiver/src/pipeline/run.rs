//! Runs the handler.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::delivery::Delivery;
use crate::outcome::Outcome;
use crate::panics::catch;
use crate::receiver::Inner;

/// How a run of the handler has ended.
pub(super) enum Ended<T> {
    Returned(Outcome<T>),
    Panicked,
    /// Its time was over, or that of a shutdown.
    OutOfTime,
}

impl Inner {
    /// Runs the handler until it ends, panics, is out of time, or a shutdown has waited long enough.
    ///
    /// Time and shutdown are looked at before the handler, each time: a handler that is always ready, or
    /// one whose thread was stalled until its lease had ended, must not go on. They are looked at by
    /// themselves and not through their futures, which a stalled runtime has not woken yet and which
    /// are pending once the handler has used up the task's budget.
    pub(super) async fn run<H, F, T>(
        &self,
        deadline: Instant,
        handler: Option<H>,
        delivery: Delivery,
    ) -> Ended<T>
    where
        H: FnOnce(Delivery) -> F,
        F: Future<Output = Outcome<T>>,
    {
        // In a box from the beginning: it may be large, and would be copied on its way here.
        let mut handler = handler.map(|handler| Box::pin(async { handler(delivery).await }));
        let mut aborted = pin!(self.concurrency.aborted());
        let mut wake_up = WakeUp::new(deadline, aborted.as_mut());
        let ended = poll_fn(|context| {
            if Instant::now() >= deadline || self.concurrency.is_aborting() {
                return Poll::Ready(Ended::OutOfTime);
            }
            let Some(running) = &mut handler else {
                return Poll::Ready(Ended::Panicked);
            };
            match catch(|| running.as_mut().poll(context)) {
                None => Poll::Ready(Ended::Panicked),
                Some(Poll::Ready(outcome)) => Poll::Ready(Ended::Returned(outcome)),
                Some(Poll::Pending) => wake_up.poll(context).map(|()| Ended::OutOfTime),
            }
        })
        .await;
        // What the handler holds is released before the delivery is settled; that may panic as well.
        match (catch(|| drop(handler.take())), ended) {
            (None, Ended::OutOfTime) => Ended::Panicked,
            (_, ended) => ended,
        }
    }
}

/// Wakes the task when time is over. Most handlers end at once and never need it, so that the timer is
/// made when it is first polled.
struct WakeUp<'a, A> {
    deadline: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    aborted: Pin<&'a mut A>,
}

impl<'a, A: Future<Output = ()>> WakeUp<'a, A> {
    fn new(deadline: Instant, aborted: Pin<&'a mut A>) -> Self {
        Self {
            deadline,
            sleep: None,
            aborted,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(self.deadline)));
        if sleep.as_mut().poll(context).is_ready() || self.aborted.as_mut().poll(context).is_ready()
        {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
