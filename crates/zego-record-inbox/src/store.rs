//! What an inbox's store is asked to do.

use std::sync::Arc;
use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_receiver::{Accept, BoxFuture, Owner, Settled, StoreError};

use crate::arrivals::Arrivals;
use crate::entry::{AttemptOutcome, Details, Entry, Filter, Stats, StoredCallback};

/// Keeps callbacks and the work on them.
///
/// ```text
/// waiting --claim_due--> running --settle--> done | discarded | dead | waiting again, at a later time
///    ^                     |  \--release--> waiting again, and the attempt does not count
///    |                     \--claim_due after the lease has ended: a new run (epoch + 1)
///    \--redeliver-- done | discarded | dead
/// ```
///
/// [`WorkRecord`](crate::WorkRecord) has these transitions as pure functions. Every promise of an inbox
/// rests on these rules for an implementation:
///
/// * Each call is **one atomic step**, on the store's own clock.
/// * Done is taken from any run of a callback, since it is true, and stays. Everything else is taken from
///   the run that holds it alone: [`Hold`] says which that is.
/// * What is dead is never removed by itself.
/// * A call whose future is dropped is carried out as a whole or not at all.
///
/// The store trusts its database: what it reads back is a [`StoredCallback`], and the worker checks it
/// against its delivery key. `zego-record-testkit` has a conformance suite.
pub trait InboxStore: Accept {
    /// Takes callbacks whose time has come, the longest due first, and starts an attempt for each: those
    /// that wait, and those whose lease has ended. It returns none while the inbox is paused.
    fn claim_due<'a>(
        &'a self,
        claim: &'a ClaimDue,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, StoreError>>;

    /// Lets the lease of a run start anew.
    fn extend<'a>(
        &'a self,
        hold: &'a Hold,
        lease: Duration,
    ) -> BoxFuture<'a, Result<Settled, StoreError>>;

    /// Records how a run has ended.
    fn settle<'a>(
        &'a self,
        hold: &'a Hold,
        ended: &'a RunEnded,
    ) -> BoxFuture<'a, Result<Settled, StoreError>>;

    /// One callback with all its attempts.
    fn get<'a>(
        &'a self,
        key: &'a DeliveryKey,
    ) -> BoxFuture<'a, Result<Option<Details>, StoreError>>;

    /// The callbacks that match, the newest first: those before `before` in this order, `limit` at most.
    fn list<'a>(
        &'a self,
        filter: &'a Filter,
        before: Option<i64>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>>;

    /// How many callbacks match.
    fn count<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Counts by state, and the age of the oldest one that waits.
    fn stats(&self) -> BoxFuture<'_, Result<Stats, StoreError>>;

    /// Makes callbacks that match due at once, with all their attempts before them, `limit` at most; one
    /// that runs is left alone. Returns how many.
    fn redeliver<'a>(
        &'a self,
        filter: &'a Filter,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Counts one more request for a new id of this callback, for consumers who ignore an id that they have
    /// seen: see [`Claimed::renewals`]. Returns whether the callback is there.
    fn renew<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Marks callbacks that match as discarded, `limit` at most; one that runs, is done or is discarded is
    /// left alone. The reason is kept as their last error. Returns how many.
    fn discard<'a>(
        &'a self,
        filter: &'a Filter,
        reason: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Pauses or resumes the inbox, for all workers. Callbacks are accepted all the same.
    fn set_paused(&self, paused: bool) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Removes callbacks that have been done or discarded for longer than `keep`, `limit` at most, and
    /// returns how many. What is dead stays.
    fn prune(&self, keep: Duration, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Removes one callback and all that is known of it, whatever its state is: somebody has a right to
    /// that. A run of it may still be under way. Returns whether it was there.
    fn erase<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// What is notified when this process has accepted or redelivered something, so that a worker in the
    /// same process need not wait for its next poll.
    fn arrivals(&self) -> &Arrivals;
}

/// A request for callbacks whose time has come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClaimDue {
    /// Who asks. One owner may hold many callbacks.
    pub owner: Owner,
    /// How long a run may go on without an [`extend`](InboxStore::extend) before another one takes over.
    pub lease: Duration,
    /// How many callbacks at most.
    pub limit: u32,
}

impl ClaimDue {
    /// A request.
    pub const fn new(owner: Owner, lease: Duration, limit: u32) -> Self {
        Self {
            owner,
            lease,
            limit,
        }
    }
}

/// One run of the handler for one callback.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Claimed {
    /// Which run this is.
    pub hold: Hold,
    /// What is to be handled.
    pub callback: StoredCallback,
    /// Which attempt this is, from 1: since the callback came, or since it was last redelivered.
    pub attempt: u32,
    /// Whether the inbox knows another callback about the same recorded file.
    pub changed: bool,
    /// How often an operator has asked for a new id, 0 for most.
    pub renewals: u32,
}

impl Claimed {
    /// A run.
    pub const fn new(hold: Hold, callback: StoredCallback, attempt: u32, changed: bool) -> Self {
        Self {
            hold,
            callback,
            attempt,
            changed,
            renewals: 0,
        }
    }

    /// The same run with this number of [`renewals`](Self::renewals).
    #[must_use]
    pub const fn with_renewals(mut self, renewals: u32) -> Self {
        self.renewals = renewals;
        self
    }
}

/// Which run of a callback's handler somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Hold {
    /// The number of the callback in its store.
    pub id: i64,
    /// Who runs it.
    pub owner: Owner,
    /// Which run it is, of all that there ever were, from 1.
    pub epoch: u32,
}

impl Hold {
    /// A run.
    pub const fn new(id: i64, owner: Owner, epoch: u32) -> Self {
        Self { id, owner, epoch }
    }
}

/// How a run has ended, for [`InboxStore::settle`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunEnded {
    /// What the callback becomes.
    pub next: Next,
    /// What is kept in the history of the attempt, and as the last error unless it is done.
    pub note: Note,
}

impl RunEnded {
    /// An end with a note.
    pub const fn new(next: Next, note: Note) -> Self {
        Self { next, note }
    }
}

/// What a callback becomes after a run. Exhaustive by decision: a store must know each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The effect is done. Any run may record this.
    Done,
    /// Nobody wants the callback.
    Discarded,
    /// It is due again after this time.
    Retry(Duration),
    /// It is due again after this time, and the attempt does not count.
    Release(Duration),
    /// It is a dead letter: its attempts are used up, or it was given up.
    Dead,
}

impl Next {
    /// How the history says it of the attempt.
    pub const fn outcome(self) -> AttemptOutcome {
        match self {
            Self::Done => AttemptOutcome::Done,
            Self::Discarded => AttemptOutcome::Discarded,
            Self::Retry(_) => AttemptOutcome::Failed,
            Self::Release(_) => AttemptOutcome::Released,
            Self::Dead => AttemptOutcome::Dead,
        }
    }
}

/// What is kept of an attempt for people to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// A status code, if the handler is one that has them.
    pub status: Option<u16>,
    /// What has happened, [`MAX_TEXT`](Self::MAX_TEXT) bytes at most.
    pub text: String,
}

impl Note {
    /// How long the text is at most, in bytes.
    pub const MAX_TEXT: usize = 1_024;

    /// A note; the text is cut if it is too long.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(Self::MAX_TEXT));
        Self { status: None, text }
    }

    /// The same note with a status code.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

/// For a store that others hold as well.
impl<T: InboxStore + ?Sized> InboxStore for Arc<T> {
    fn claim_due<'a>(
        &'a self,
        claim: &'a ClaimDue,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, StoreError>> {
        (**self).claim_due(claim)
    }

    fn extend<'a>(
        &'a self,
        hold: &'a Hold,
        lease: Duration,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        (**self).extend(hold, lease)
    }

    fn settle<'a>(
        &'a self,
        hold: &'a Hold,
        ended: &'a RunEnded,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        (**self).settle(hold, ended)
    }

    fn get<'a>(
        &'a self,
        key: &'a DeliveryKey,
    ) -> BoxFuture<'a, Result<Option<Details>, StoreError>> {
        (**self).get(key)
    }

    fn list<'a>(
        &'a self,
        filter: &'a Filter,
        before: Option<i64>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        (**self).list(filter, before, limit)
    }

    fn count<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, StoreError>> {
        (**self).count(filter)
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats, StoreError>> {
        (**self).stats()
    }

    fn redeliver<'a>(
        &'a self,
        filter: &'a Filter,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        (**self).redeliver(filter, limit)
    }

    fn renew<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        (**self).renew(key)
    }

    fn discard<'a>(
        &'a self,
        filter: &'a Filter,
        reason: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        (**self).discard(filter, reason, limit)
    }

    fn set_paused(&self, paused: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).set_paused(paused)
    }

    fn prune(&self, keep: Duration, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        (**self).prune(keep, limit)
    }

    fn erase<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        (**self).erase(key)
    }

    fn arrivals(&self) -> &Arrivals {
        (**self).arrivals()
    }
}
