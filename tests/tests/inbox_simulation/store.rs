//! The stores under test, on simulated time.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use tokio::time::Instant;
use zego_record_core::UnixSeconds;
use zego_record_inbox::{InboxStore, MemoryInbox};
use zego_record_receiver::Clock;

use crate::world::BEGIN;

/// The same for receivers and for the store.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedClock(Instant);

impl SimulatedClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds::new(BEGIN).saturating_add(self.0.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(crate) fn memory(clock: &SimulatedClock) -> Arc<dyn InboxStore> {
    Arc::new(MemoryInbox::new().with_clock(clock.clone()))
}

/// Waits for a store without letting the simulated time go on meanwhile: each request is one step.
pub(crate) fn at_once<T>(request: impl Future<Output = T>) -> T {
    // Otherwise a store that waits for its thread would be told to yield to a runtime that is not there.
    let mut request = Box::pin(tokio::task::unconstrained(request));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match request.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => std::thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
