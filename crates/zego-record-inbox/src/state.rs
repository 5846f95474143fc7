//! The states of the work on a callback as pure functions; every store does the same, in its own language.

use std::time::Duration;

use zego_record_receiver::{Owner, Settled};

use crate::entry::EntryState;
use crate::store::{Hold, Next};

/// What a store knows of the work on a callback. Times are on the store's clock, as durations since some
/// moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct WorkRecord {
    /// Two meanings in one column, so that one query finds everything that is to be run: when the next
    /// attempt of a waiting callback is due, or when the lease of a running one ends. `None` if it is
    /// over.
    pub due_at: Option<Duration>,
    /// Attempts since the callback came, or since it was last redelivered.
    pub attempts: u32,
    /// Runs of the handler, of all that there ever were.
    pub epoch: u32,
    /// Who runs it.
    pub owner: Option<Owner>,
    /// How it is over.
    pub over: Option<Over>,
}

/// How the work on a callback is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Over {
    /// In which way: done, discarded or dead.
    pub state: OverState,
    /// Since when.
    pub at: Duration,
}

/// In which way the work on a callback is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverState {
    /// Its effect is done.
    Done,
    /// Nobody wants it.
    Discarded,
    /// It is a dead letter.
    Dead,
}

impl WorkRecord {
    /// The record of a callback that has just been accepted: due at once.
    pub const fn new(now: Duration) -> Self {
        Self {
            due_at: Some(now),
            attempts: 0,
            epoch: 0,
            owner: None,
            over: None,
        }
    }

    /// Where the callback stands.
    pub const fn state(&self) -> EntryState {
        match (self.over, self.owner) {
            (Some(over), _) => match over.state {
                OverState::Done => EntryState::Done,
                OverState::Discarded => EntryState::Discarded,
                OverState::Dead => EntryState::Dead,
            },
            (None, Some(_)) => EntryState::Running,
            (None, None) => EntryState::Waiting,
        }
    }

    /// Starts a run, if it is due; `None` if it is not.
    #[must_use]
    pub fn claim(&self, owner: Owner, lease: Duration, now: Duration) -> Option<Self> {
        self.due_at.filter(|due_at| *due_at <= now)?;
        Some(Self {
            due_at: Some(now.saturating_add(lease)),
            attempts: self.attempts.saturating_add(1),
            epoch: self.epoch.saturating_add(1),
            owner: Some(owner),
            over: None,
        })
    }

    /// Lets the lease of a run start anew.
    #[must_use]
    pub fn extend(&self, hold: &Hold, lease: Duration, now: Duration) -> (Self, Settled) {
        if !self.is_held_by(hold) {
            return (*self, Settled::Stale);
        }
        let due_at = Some(now.saturating_add(lease));
        (Self { due_at, ..*self }, Settled::Applied)
    }

    /// Ends a run.
    #[must_use]
    pub fn settle(&self, hold: &Hold, next: Next, now: Duration) -> (Self, Settled) {
        let over = |state| Some(Over { state, at: now });
        let (due_at, attempts, over) = match next {
            // True from whoever says it, and what is done stays so.
            Next::Done if !self.is_done() => (None, self.attempts, over(OverState::Done)),
            _ if !self.is_held_by(hold) => return (*self, Settled::Stale),
            Next::Retry(delay) => (Some(now.saturating_add(delay)), self.attempts, None),
            Next::Release(delay) => {
                let attempts = self.attempts.saturating_sub(1);
                (Some(now.saturating_add(delay)), attempts, None)
            }
            Next::Dead => (None, self.attempts, over(OverState::Dead)),
            Next::Discarded => (None, self.attempts, over(OverState::Discarded)),
            Next::Done => return (*self, Settled::Stale),
        };
        let next = Self {
            due_at,
            attempts,
            epoch: self.epoch,
            owner: None,
            over,
        };
        (next, Settled::Applied)
    }

    /// Makes it due at once, with all attempts before it; `None` if it runs.
    #[must_use]
    pub fn redeliver(&self, now: Duration) -> Option<Self> {
        (self.owner.is_none()).then_some(Self {
            due_at: Some(now),
            attempts: 0,
            epoch: self.epoch,
            owner: None,
            over: None,
        })
    }

    /// Marks it as discarded by an operator; `None` if it runs, is done or is discarded.
    #[must_use]
    pub fn discard(&self, now: Duration) -> Option<Self> {
        let may = matches!(self.state(), EntryState::Waiting | EntryState::Dead);
        may.then_some(Self {
            due_at: None,
            over: Some(Over {
                state: OverState::Discarded,
                at: now,
            }),
            ..*self
        })
    }

    /// Whether it may be removed. What is dead never is.
    #[must_use]
    pub fn is_prunable(&self, keep: Duration, now: Duration) -> bool {
        self.over.is_some_and(|over| {
            over.state != OverState::Dead && over.at.saturating_add(keep) <= now
        })
    }

    fn is_held_by(&self, hold: &Hold) -> bool {
        self.owner == Some(hold.owner) && self.epoch == hold.epoch && self.over.is_none()
    }

    fn is_done(&self) -> bool {
        matches!(self.state(), EntryState::Done | EntryState::Discarded)
    }
}
