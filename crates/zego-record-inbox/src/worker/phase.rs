//! Working, draining, aborting.

use tokio::sync::watch;

/// How far a shutdown is, and how many are still at work.
#[derive(Debug)]
pub(super) struct Phase(watch::Sender<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    stage: Stage,
    working: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
enum Stage {
    #[default]
    Open,
    Draining,
    Aborting,
}

/// Somebody is at work until it is dropped.
#[derive(Debug)]
pub(super) struct Working<'a>(&'a Phase);

impl Phase {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    pub(super) fn enter(&self) -> Working<'_> {
        self.0.send_modify(|state| state.working += 1);
        Working(self)
    }

    pub(super) fn drain(&self) {
        self.set(Stage::Draining);
    }

    pub(super) fn abort(&self) {
        self.set(Stage::Aborting);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.0.borrow().stage >= Stage::Draining
    }

    pub(super) fn is_aborting(&self) -> bool {
        self.0.borrow().stage == Stage::Aborting
    }

    pub(super) async fn draining(&self) {
        self.wait_for(|state| state.stage >= Stage::Draining).await;
    }

    pub(super) async fn aborting(&self) {
        self.wait_for(|state| state.stage == Stage::Aborting).await;
    }

    /// Waits until nobody is at work.
    pub(super) async fn left(&self) {
        self.wait_for(|state| state.working == 0).await;
    }

    fn set(&self, stage: Stage) {
        self.0.send_modify(|state| {
            if state.stage < stage {
                state.stage = stage;
            }
        });
    }

    async fn wait_for(&self, condition: impl FnMut(&State) -> bool) {
        // An error would mean that the sender is gone, and `self` holds it.
        let _ = self.0.subscribe().wait_for(condition).await;
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.working -= 1);
    }
}
