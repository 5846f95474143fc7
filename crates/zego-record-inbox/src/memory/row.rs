//! One callback in memory.

use std::time::{Duration, SystemTime};

use zego_record_receiver::{NewCallback, Settled};

use crate::entry::{Attempt, AttemptOutcome, Details, Entry, Filter, StoredCallback};
use crate::state::WorkRecord;
use crate::store::{ClaimDue, Claimed, Hold, Next, Note, RunEnded};

/// A moment on both sides of the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) monotonic: Duration,
    pub(super) shown: SystemTime,
}

/// Whatever is further away than a hundred years is shown as a hundred years away, since not every
/// platform has times much later than that.
const MAX_SHOWN: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) work: WorkRecord,
    pub(super) callback: NewCallback,
    pub(super) received: Moment,
    due_at: Option<SystemTime>,
    ended_at: Option<SystemTime>,
    last_error: Option<String>,
    attempts: Vec<Attempt>,
    renewals: u32,
}

impl Row {
    pub(super) fn new(id: i64, callback: NewCallback, now: Moment) -> Self {
        Self {
            id,
            work: WorkRecord::new(now.monotonic),
            callback,
            received: now,
            due_at: Some(now.shown),
            ended_at: None,
            last_error: None,
            attempts: Vec::new(),
            renewals: 0,
        }
    }

    pub(super) fn claim(
        &mut self,
        claim: &ClaimDue,
        changed: bool,
        now: Moment,
    ) -> Option<Claimed> {
        let work = self.work.claim(claim.owner, claim.lease, now.monotonic)?;
        self.set(work, now);
        if let Some(last) = self.attempts.last_mut()
            && last.outcome == AttemptOutcome::Running
        {
            last.outcome = AttemptOutcome::Lost;
        }
        if self.attempts.len() >= Details::MAX_ATTEMPTS {
            self.attempts.remove(0);
        }
        let epoch = self.work.epoch;
        self.attempts.push(Attempt::new(epoch, now.shown));
        let hold = Hold::new(self.id, claim.owner, epoch);
        let attempt = self.work.attempts;
        let claimed = Claimed::new(hold, self.stored(), attempt, changed);
        Some(claimed.with_renewals(self.renewals))
    }

    pub(super) fn extend(&mut self, hold: &Hold, lease: Duration, now: Moment) -> Settled {
        let (work, settled) = self.work.extend(hold, lease, now.monotonic);
        if settled == Settled::Applied {
            self.set(work, now);
        }
        settled
    }

    pub(super) fn settle(&mut self, hold: &Hold, ended: &RunEnded, now: Moment) -> Settled {
        let (work, settled) = self.work.settle(hold, ended.next, now.monotonic);
        if settled == Settled::Stale {
            return settled;
        }
        self.set(work, now);
        let note = cut(&ended.note);
        self.last_error = (ended.next != Next::Done).then(|| note.text.clone());
        let mut attempts = self.attempts.iter_mut();
        if let Some(attempt) = attempts.find(|attempt| attempt.epoch == hold.epoch) {
            attempt.outcome = ended.next.outcome();
            attempt.ended_at = Some(now.shown);
            attempt.note = note;
        }
        settled
    }

    /// Whether it was redelivered: one that runs is left alone.
    pub(super) fn redeliver(&mut self, now: Moment) -> bool {
        let Some(work) = self.work.redeliver(now.monotonic) else {
            return false;
        };
        self.set(work, now);
        true
    }

    pub(super) fn renew(&mut self) {
        self.renewals = self.renewals.saturating_add(1);
    }

    /// Whether it was discarded.
    pub(super) fn discard(&mut self, reason: &str, now: Moment) -> bool {
        let Some(work) = self.work.discard(now.monotonic) else {
            return false;
        };
        self.set(work, now);
        self.last_error = Some(Note::new(reason).text);
        true
    }

    pub(super) fn matches(&self, filter: &Filter) -> bool {
        let callback = &self.callback;
        let is = |wanted: &Option<String>, text: &str| {
            wanted.as_ref().is_none_or(|wanted| *wanted == *text)
        };
        let state = filter.state.is_none_or(|state| state == self.work.state());
        let key = callback.key.as_bytes();
        let prefix = filter.key_prefix.as_ref();
        let text = filter.text.as_ref().is_none_or(|text| {
            contains(&callback.event_id, text)
                || contains(&callback.stream_alias, text)
                || self
                    .last_error
                    .as_ref()
                    .is_some_and(|error| contains(error, text))
        });
        let received = self.received.shown;
        state
            && text
            && is(&filter.appid, &callback.appid)
            && is(&filter.stream_alias, &callback.stream_alias)
            && prefix.is_none_or(|prefix| key.starts_with(prefix))
            && filter.received_from.is_none_or(|from| received >= from)
            && filter
                .received_before
                .is_none_or(|before| received < before)
    }

    pub(super) fn entry(&self) -> Entry {
        let Self { callback, work, .. } = self;
        Entry {
            event_id: callback.event_id.clone(),
            appid: callback.appid.clone(),
            stream_alias: callback.stream_alias.clone(),
            state: work.state(),
            attempts: work.attempts,
            due_at: self.due_at,
            ended_at: self.ended_at,
            last_error: self.last_error.clone(),
            ..Entry::new(self.id, callback.key, self.received.shown)
        }
    }

    pub(super) fn details(&self) -> Details {
        Details::new(self.entry(), self.stored(), self.attempts.clone())
    }

    fn set(&mut self, work: WorkRecord, now: Moment) {
        self.work = work;
        self.due_at = work.due_at.map(|due_at| {
            let ahead = due_at.saturating_sub(now.monotonic).min(MAX_SHOWN);
            now.shown.checked_add(ahead).unwrap_or(now.shown)
        });
        self.ended_at = work.over.map(|_| now.shown);
    }

    fn stored(&self) -> StoredCallback {
        let NewCallback { key, stored, .. } = &self.callback;
        StoredCallback::new(*key, stored.clone(), self.received.shown)
    }
}

/// The text is a public field, so it may be longer than [`Note::new`] makes it.
fn cut(note: &Note) -> Note {
    Note {
        status: note.status,
        ..Note::new(note.text.as_str())
    }
}

fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.to_ascii_lowercase(), part.to_ascii_lowercase());
    text.contains(&part)
}
