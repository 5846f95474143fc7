//! What operators see of an inbox.

use std::time::{Duration, SystemTime};

use zego_record_core::{DeliveryKey, RecordCallback, RestoreError};

use crate::store::Note;

/// A callback as its store has it. It is as trustworthy as the database; nobody has checked it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredCallback {
    /// The delivery key under which it is stored.
    pub key: DeliveryKey,
    /// What [`RecordCallback::to_stored`] has written.
    pub bytes: Vec<u8>,
    /// When it was accepted, on the store's clock.
    pub received_at: SystemTime,
}

impl StoredCallback {
    /// A callback of a store.
    pub const fn new(key: DeliveryKey, bytes: Vec<u8>, received_at: SystemTime) -> Self {
        Self {
            key,
            bytes,
            received_at,
        }
    }

    /// The callback, if its content has the delivery key under which it is stored.
    ///
    /// # Errors
    ///
    /// As [`RecordCallback::restore_trusted`].
    pub fn restore(&self) -> Result<RecordCallback, RestoreError> {
        RecordCallback::restore_trusted(&self.bytes, self.key)
    }
}

/// Where a callback of an inbox stands. Exhaustive by decision: a page shows each in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryState {
    /// It waits for its first attempt or the next one.
    Waiting,
    /// Its handler runs, or did until a worker was cut off and its lease ends.
    Running,
    /// Its effect is done.
    Done,
    /// Its attempts are used up, or it was given up: a dead letter.
    Dead,
    /// Nobody wants it.
    Discarded,
}

impl EntryState {
    /// All states.
    pub const ALL: &[Self] = &[
        Self::Waiting,
        Self::Running,
        Self::Done,
        Self::Dead,
        Self::Discarded,
    ];

    /// The state in one lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|state| state.as_str() == name)
    }
}

impl std::fmt::Display for EntryState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One callback in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its number in the store, by which a list is continued.
    pub id: i64,
    /// Its delivery key.
    pub key: DeliveryKey,
    /// The recorded file.
    pub event_id: String,
    /// The AppID.
    pub appid: String,
    /// The stream.
    pub stream_alias: String,
    /// When it was accepted.
    pub received_at: SystemTime,
    /// Where it stands.
    pub state: EntryState,
    /// How many attempts there were since it came, or since it was last redelivered.
    pub attempts: u32,
    /// When the next attempt is due, or the lease of the running one ends; `None` if there is none.
    pub due_at: Option<SystemTime>,
    /// When it was done or discarded, or became a dead letter.
    pub ended_at: Option<SystemTime>,
    /// Why the last attempt failed, or why it was discarded.
    pub last_error: Option<String>,
}

impl Entry {
    /// A callback that has just been accepted; the fields are public.
    pub fn new(id: i64, key: DeliveryKey, received_at: SystemTime) -> Self {
        Self {
            id,
            key,
            event_id: String::new(),
            appid: String::new(),
            stream_alias: String::new(),
            received_at,
            state: EntryState::Waiting,
            attempts: 0,
            due_at: Some(received_at),
            ended_at: None,
            last_error: None,
        }
    }
}

/// One callback with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Details {
    /// What a list shows.
    pub entry: Entry,
    /// What is to be handled.
    pub callback: StoredCallback,
    /// The runs of the handler, the oldest first: the last [`MAX_ATTEMPTS`](Self::MAX_ATTEMPTS).
    pub attempts: Vec<Attempt>,
}

impl Details {
    /// How many attempts are returned at most.
    pub const MAX_ATTEMPTS: usize = 100;

    /// A callback with its history.
    pub const fn new(entry: Entry, callback: StoredCallback, attempts: Vec<Attempt>) -> Self {
        Self {
            entry,
            callback,
            attempts,
        }
    }
}

/// One run of the handler.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// Which run it was, of all that there ever were, from 1.
    pub epoch: u32,
    /// When it began.
    pub started_at: SystemTime,
    /// When it ended; `None` while it runs, and if its worker was cut off.
    pub ended_at: Option<SystemTime>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// What the worker has noted.
    pub note: Note,
}

impl Attempt {
    /// A run that has just begun; the fields are public.
    pub fn new(epoch: u32, started_at: SystemTime) -> Self {
        Self {
            epoch,
            started_at,
            ended_at: None,
            outcome: AttemptOutcome::Running,
            note: Note::default(),
        }
    }
}

/// How a run has ended. Exhaustive by decision: a page shows each in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// It has not, as far as the store knows.
    Running,
    /// With success.
    Done,
    /// The handler discarded the callback.
    Discarded,
    /// The handler failed and is run again.
    Failed,
    /// It was given back and does not count.
    Released,
    /// The handler failed, for the last time.
    Dead,
    /// Its lease ended and another run has taken over: a crash, or a worker that was cut off.
    Lost,
}

impl AttemptOutcome {
    /// All outcomes.
    pub const ALL: &[Self] = &[
        Self::Running,
        Self::Done,
        Self::Discarded,
        Self::Failed,
        Self::Released,
        Self::Dead,
        Self::Lost,
    ];

    /// The outcome in one lower-case word, as stores write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Discarded => "discarded",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Dead => "dead",
            Self::Lost => "lost",
        }
    }

    /// The outcome of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|outcome| outcome.as_str() == name)
    }
}

impl std::fmt::Display for AttemptOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which callbacks are meant: those that match everything that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Where they stand.
    pub state: Option<EntryState>,
    /// Exactly this AppID.
    pub appid: Option<String>,
    /// Exactly this stream.
    pub stream_alias: Option<String>,
    /// A part of the event id, the stream or the last error. Upper and lower case of ASCII letters are the
    /// same.
    pub text: Option<String>,
    /// The first bytes of the delivery key.
    pub key_prefix: Option<Vec<u8>>,
    /// Accepted at this time or later.
    pub received_from: Option<SystemTime>,
    /// Accepted before this time.
    pub received_before: Option<SystemTime>,
}

impl Filter {
    /// All callbacks; the fields are public.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those in this state.
    pub fn in_state(state: EntryState) -> Self {
        Self {
            state: Some(state),
            ..Self::default()
        }
    }

    /// The one with this delivery key.
    pub fn key(key: &DeliveryKey) -> Self {
        Self {
            key_prefix: Some(key.as_bytes().to_vec()),
            ..Self::default()
        }
    }
}

/// Counts of an inbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many wait for an attempt.
    pub waiting: u64,
    /// How many handlers run, with those whose worker was cut off.
    pub running: u64,
    /// How many are done and not yet pruned.
    pub done: u64,
    /// How many are dead letters.
    pub dead: u64,
    /// How many are discarded and not yet pruned.
    pub discarded: u64,
    /// How long ago the oldest one that waits or runs was accepted; `None` if there is none.
    pub oldest: Option<Duration>,
    /// Whether the inbox is paused.
    pub paused: bool,
}

impl Stats {
    /// How many are in this state.
    pub const fn of(&self, state: EntryState) -> u64 {
        match state {
            EntryState::Waiting => self.waiting,
            EntryState::Running => self.running,
            EntryState::Done => self.done,
            EntryState::Dead => self.dead,
            EntryState::Discarded => self.discarded,
        }
    }

    /// Sets how many are in this state.
    pub const fn set(&mut self, state: EntryState, count: u64) {
        match state {
            EntryState::Waiting => self.waiting = count,
            EntryState::Running => self.running = count,
            EntryState::Done => self.done = count,
            EntryState::Dead => self.dead = count,
            EntryState::Discarded => self.discarded = count,
        }
    }
}
