//! What a worker's handler gets.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use zego_record_core::{DeliveryKey, RecordCallback};
use zego_record_receiver::Owner;

use crate::store::{Hold, Note};

/// A callback and the circumstances of this run of the handler.
///
/// A handler that does not need them takes a [`RecordCallback`] instead: a delivery converts into one.
#[derive(Clone, Debug)]
pub struct Delivery {
    callback: RecordCallback,
    attempt: u32,
    changed: bool,
    renewals: u32,
    received_at: SystemTime,
    hold: Hold,
    commit: Arc<CommitState>,
    note: AttemptNote,
}

impl Delivery {
    /// The first run for a callback that has just been accepted, as unit tests of handlers need it. A
    /// worker makes all others.
    pub fn new(callback: RecordCallback) -> Self {
        let hold = Hold::new(0, Owner::new(0), 1);
        Self::of_run(callback, hold, SystemTime::now())
    }

    /// The same delivery as another [`attempt`](Self::attempt).
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The same delivery with another [`is_changed`](Self::is_changed).
    #[must_use]
    pub fn with_changed(mut self, changed: bool) -> Self {
        self.changed = changed;
        self
    }

    /// The same delivery as another run, for those who claim from a store without a worker.
    #[must_use]
    pub fn with_hold(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    /// The verified callback.
    pub fn callback(&self) -> &RecordCallback {
        &self.callback
    }

    /// The delivery key: the idempotency key of the callback, the same for every attempt. Pass it to other
    /// services that take one.
    pub fn key(&self) -> DeliveryKey {
        self.callback.delivery_key()
    }

    /// Which attempt this is, from 1: since the callback came, or since an operator has last redelivered
    /// it. From 2 on, an earlier run has failed, timed out, or was interrupted by a crash, possibly after
    /// its effect.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether another callback about the same recorded file, with other content, is known. Either
    /// ZEGOCLOUD has corrected itself or one of the two is forged: keep both, and let a person or a look at
    /// the recording itself decide.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// How often an operator has asked for a new id of this callback: add it to the key where an id is
    /// passed on to somebody who ignores one that was seen before.
    pub fn renewals(&self) -> u32 {
        self.renewals
    }

    /// When the callback was accepted, on the clock of the inbox.
    pub fn received_at(&self) -> SystemTime {
        self.received_at
    }

    /// How long ago the callback was accepted.
    pub fn age(&self) -> Duration {
        self.received_at.elapsed().unwrap_or_default()
    }

    /// Leaves a note in the history of this attempt, such as the status that another service has answered
    /// with. Without one, that is the handler's error.
    pub fn set_note(&self, note: Note) {
        self.note.set(note);
    }

    /// Which run this is, for stores.
    pub fn hold(&self) -> &Hold {
        &self.hold
    }

    /// For a store that commits the success of this run together with statements of the handler: while the
    /// guard lives, the worker neither extends the lease nor stops the handler for its end, since the
    /// transaction holds the row.
    pub fn begin_commit(&self) -> CommitGuard {
        self.commit.under_way.fetch_add(1, Ordering::AcqRel);
        CommitGuard(Arc::clone(&self.commit))
    }

    pub(crate) fn of_run(callback: RecordCallback, hold: Hold, received_at: SystemTime) -> Self {
        Self {
            callback,
            attempt: 1,
            changed: false,
            renewals: 0,
            received_at,
            hold,
            commit: Arc::default(),
            note: AttemptNote::default(),
        }
    }

    pub(crate) fn note_of_attempt(&self) -> AttemptNote {
        self.note.clone()
    }

    pub(crate) fn with_renewals(mut self, renewals: u32) -> Self {
        self.renewals = renewals;
        self
    }

    pub(crate) fn commit_state(&self) -> Arc<CommitState> {
        Arc::clone(&self.commit)
    }
}

impl From<Delivery> for RecordCallback {
    fn from(delivery: Delivery) -> Self {
        delivery.callback
    }
}

/// A commit under way, see [`Delivery::begin_commit`]. It ends when it is dropped.
#[derive(Debug)]
pub struct CommitGuard(Arc<CommitState>);

impl CommitGuard {
    /// The transaction has committed: this run is done, whatever the handler returns afterwards.
    pub fn committed(self) {
        self.0.committed.store(true, Ordering::Release);
    }
}

impl Drop for CommitGuard {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a handler has noted.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttemptNote(Arc<Mutex<Option<Note>>>);

impl AttemptNote {
    fn set(&self, note: Note) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
    }

    pub(crate) fn take(&self) -> Option<Note> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[derive(Debug, Default)]
pub(crate) struct CommitState {
    under_way: AtomicUsize,
    committed: AtomicBool,
}

impl CommitState {
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0
    }

    pub(crate) fn is_committed(&self) -> bool {
        self.committed.load(Ordering::Acquire)
    }
}
