//! The concurrency limit, and the wait for its end.

use std::sync::Arc;

use tokio::sync::watch;

/// Counts the deliveries in flight, up to a limit, and lets a shutdown wait for them.
#[derive(Clone, Debug)]
pub(crate) struct ConcurrencyLimit {
    max: usize,
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    in_flight: usize,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Phase {
    Open,
    Draining,
    Aborting,
}

/// Counts as in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    state: Arc<watch::Sender<State>>,
}

impl ConcurrencyLimit {
    pub(crate) fn new(max: usize) -> Self {
        let state = State {
            in_flight: 0,
            phase: Phase::Open,
        };
        Self {
            max,
            state: Arc::new(watch::Sender::new(state)),
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.state.borrow().in_flight
    }

    /// `None` if there are too many, or if a shutdown has begun.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        let mut acquired = false;
        self.state.send_if_modified(|state| {
            acquired = state.phase == Phase::Open && state.in_flight < self.max;
            if acquired {
                state.in_flight += 1;
            }
            // Nobody waits for more.
            false
        });
        acquired.then(|| Permit {
            state: Arc::clone(&self.state),
        })
    }

    /// Gives no more permits.
    pub(crate) fn close(&self) {
        self.set_phase(Phase::Draining);
    }

    /// Asks all that is in flight to give up.
    pub(crate) fn abort(&self) {
        self.set_phase(Phase::Aborting);
    }

    pub(crate) fn is_aborting(&self) -> bool {
        self.state.borrow().phase == Phase::Aborting
    }

    /// Waits until nothing is in flight, after [`close`](Self::close).
    pub(crate) async fn drained(&self) {
        self.wait_for(|state| state.in_flight == 0).await;
    }

    /// Waits for [`abort`](Self::abort).
    pub(crate) async fn aborted(&self) {
        self.wait_for(|state| state.phase == Phase::Aborting).await;
    }

    /// Sees the end of the receiver, for tasks that must not keep it alive.
    pub(crate) fn subscribe(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    async fn wait_for(&self, condition: impl FnMut(&State) -> bool) {
        // An error would mean that the sender is gone, and `self` holds it.
        let _ = self.state.subscribe().wait_for(condition).await;
    }

    fn set_phase(&self, phase: Phase) {
        self.state.send_modify(|state| {
            if state.phase < phase {
                state.phase = phase;
            }
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.state.send_if_modified(|state| {
            state.in_flight -= 1;
            // A shutdown closes the limit before it waits, and waking those who wait is not free.
            state.in_flight == 0 && state.phase > Phase::Open
        });
    }
}
