//! How many handlers run, and the end of it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::report::gauge;

/// Counts what is in flight, up to a limit, and lets a shutdown wait for it.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    most: usize,
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    running: usize,
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
pub(crate) struct Pass {
    state: Arc<watch::Sender<State>>,
}

impl Gate {
    pub(crate) fn new(most: usize) -> Self {
        let state = State {
            running: 0,
            phase: Phase::Open,
        };
        Self {
            most,
            state: Arc::new(watch::Sender::new(state)),
        }
    }

    pub(crate) fn running(&self) -> usize {
        self.state.borrow().running
    }

    /// `None` if there are too many, or if the gate is closed.
    pub(crate) fn enter(&self) -> Option<Pass> {
        let mut entered = false;
        self.state.send_if_modified(|state| {
            entered = state.phase == Phase::Open && state.running < self.most;
            if entered {
                state.running += 1;
                gauge::in_flight(state.running);
            }
            // Nobody waits for more.
            false
        });
        entered.then(|| Pass {
            state: Arc::clone(&self.state),
        })
    }

    /// Lets nobody in any more.
    pub(crate) fn close(&self) {
        self.set_phase(Phase::Draining);
    }

    /// Tells all who are in flight to give up.
    pub(crate) fn abort(&self) {
        self.set_phase(Phase::Aborting);
    }

    /// Waits until nobody is in flight; for a gate that is closed.
    pub(crate) async fn drained(&self) {
        self.wait_for(|state| state.running == 0).await;
    }

    /// Waits until all are told to give up.
    pub(crate) async fn aborted(&self) {
        self.wait_for(|state| state.phase == Phase::Aborting).await;
    }

    async fn wait_for(&self, condition: impl FnMut(&State) -> bool) {
        // An error means that the sender is gone, and `self` holds it.
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

impl Drop for Pass {
    fn drop(&mut self) {
        self.state.send_if_modified(|state| {
            state.running -= 1;
            gauge::in_flight(state.running);
            // A shutdown closes the gate before it waits, and to wake those who wait is not for free.
            state.running == 0 && state.phase > Phase::Open
        });
    }
}
