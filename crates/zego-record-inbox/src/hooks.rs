//! What a worker reports to its operator's code.

use std::fmt;
use std::time::Duration;

use zego_record_core::{DeliveryKey, RecordCallback};
use zego_record_receiver::HandlerError;
use zego_record_receiver::support::catch;

use crate::store::{Claimed, Next, Note, RunEnded};

/// An attempt that has ended, for [`on_attempt`](crate::WorkerBuilder::on_attempt).
#[derive(Clone, Copy, Debug)]
pub struct AttemptReport<'a> {
    pub(crate) claimed: &'a Claimed,
    pub(crate) callback: Option<&'a RecordCallback>,
    pub(crate) ended: &'a RunEnded,
    pub(crate) error: Option<&'a HandlerError>,
    pub(crate) elapsed: Option<Duration>,
}

impl<'a> AttemptReport<'a> {
    /// The delivery key.
    pub fn key(&self) -> DeliveryKey {
        self.claimed.callback.key
    }

    /// The callback; `None` if what is stored could not be read.
    pub fn callback(&self) -> Option<&'a RecordCallback> {
        self.callback
    }

    /// Which attempt this was, from 1.
    pub fn attempt(&self) -> u32 {
        self.claimed.attempt
    }

    /// What the callback becomes.
    pub fn next(&self) -> Next {
        self.ended.next
    }

    /// What is kept in the history.
    pub fn note(&self) -> &'a Note {
        &self.ended.note
    }

    /// The handler's error; also for a panic and a timeout.
    pub fn error(&self) -> Option<&'a HandlerError> {
        self.error
    }

    /// How long the handler ran; `None` if it was not run.
    pub fn elapsed(&self) -> Option<Duration> {
        self.elapsed
    }
}

/// A callback that has become a dead letter, for [`on_dead_letter`](crate::WorkerBuilder::on_dead_letter).
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    pub(crate) key: DeliveryKey,
    pub(crate) callback: Option<&'a RecordCallback>,
    pub(crate) note: &'a Note,
}

impl<'a> DeadLetter<'a> {
    /// The delivery key, by which it can be redelivered.
    pub fn key(&self) -> DeliveryKey {
        self.key
    }

    /// The callback; `None` if what is stored could not be read.
    pub fn callback(&self) -> Option<&'a RecordCallback> {
        self.callback
    }

    /// Why the last attempt failed.
    pub fn note(&self) -> &'a Note {
        self.note
    }
}

type AttemptHook = Box<dyn Fn(&AttemptReport<'_>) + Send + Sync>;
type DeadLetterHook = Box<dyn Fn(&DeadLetter<'_>) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) attempt: Option<AttemptHook>,
    pub(crate) dead: Option<DeadLetterHook>,
}

impl Hooks {
    pub(crate) fn attempt(&self, report: &AttemptReport<'_>) {
        if let Some(hook) = &self.attempt {
            let _ = catch(|| hook(report));
        }
    }

    pub(crate) fn dead(&self, letter: &DeadLetter<'_>) {
        if let Some(hook) = &self.dead {
            let _ = catch(|| hook(letter));
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("attempt", &self.attempt.is_some())
            .field("dead", &self.dead.is_some())
            .finish()
    }
}
