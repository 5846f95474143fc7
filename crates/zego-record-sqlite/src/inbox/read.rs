//! What operators see.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row};
use zego_record_core::DeliveryKey;
use zego_record_inbox::{
    Attempt, AttemptOutcome, Details, Entry, EntryState, Filter, Note, Stats, StoredCallback,
};

use super::filter::{Conditions, state_number, state_of_number};
use super::row::time;
use crate::step::{Step, StepError, corrupt, field};

impl Step<'_> {
    pub(crate) fn get(&self, key: &DeliveryKey) -> Result<Option<Details>, StepError> {
        let mut find = self.prepare(&self.statements.inbox.find_entry)?;
        let found = find
            .query_row([&key.as_bytes()[..]], |row| {
                Ok((row.get(0)?, entry(row), row.get(11)?))
            })
            .optional()?;
        let Some((id, entry, bytes)) = found else {
            return Ok(None);
        };
        let entry = entry?;
        let callback = StoredCallback::new(*key, bytes, entry.received_at);
        Ok(Some(Details::new(entry, callback, self.attempts(id)?)))
    }

    /// A row whose key is none is left out: no call could name it, and it must not hide the others.
    pub(crate) fn list(
        &self,
        filter: &Filter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StepError> {
        let mut conditions = Conditions::new(filter);
        if let Some(before) = before {
            conditions.add("w.id < ?", [before]);
        }
        let list = &self.statements.inbox.list;
        let list = conditions.append_to(list, &format!(" ORDER BY w.id DESC LIMIT {limit}"));
        let mut list = self.prepare(&list)?;
        let mut rows = list.query(conditions.params())?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            entries.extend(entry(row).ok());
        }
        Ok(entries)
    }

    pub(crate) fn count(&self, filter: &Filter) -> Result<u64, StepError> {
        let conditions = Conditions::new(filter);
        let count = if conditions.of_callback {
            &self.statements.inbox.count
        } else {
            &self.statements.inbox.count_work
        };
        let mut count = self.prepare(&conditions.append_to(count, ""))?;
        let count = count.query_row(conditions.params(), |row| row.get::<_, i64>(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(crate) fn stats(&self) -> Result<Stats, StepError> {
        let mut stats = Stats::default();
        stats.paused = self.is_paused()?;
        let mut count = self.prepare(&self.statements.inbox.count_states)?;
        let mut rows = count.query([])?;
        while let Some(row) = rows.next()? {
            let state = shown(row.get(0)?);
            let count = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
            stats.set(state, stats.of(state).saturating_add(count));
        }
        for state in [EntryState::Waiting, EntryState::Running] {
            let mut oldest = self.prepare(&self.statements.inbox.oldest_in_state)?;
            let received_at = oldest
                .query_row([state_number(state)], |row| row.get::<_, i64>(0))
                .optional()?;
            if let Some(received_at) = received_at {
                let received_at = Duration::from_millis(u64::try_from(received_at).unwrap_or(0));
                let age = self.now.saturating_sub(received_at);
                stats.oldest = stats.oldest.max(Some(age));
            }
        }
        Ok(stats)
    }

    fn attempts(&self, id: i64) -> Result<Vec<Attempt>, StepError> {
        let most = i64::try_from(Details::MAX_ATTEMPTS).unwrap_or(i64::MAX);
        let mut find = self.prepare(&self.statements.inbox.find_attempts)?;
        let mut rows = find.query([id, most])?;
        let mut attempts = Vec::new();
        while let Some(row) = rows.next()? {
            attempts.push(attempt(row)?);
        }
        attempts.reverse();
        Ok(attempts)
    }
}

/// Numbers that are out of range are shown as well as possible: somebody has to look at them.
fn entry(row: &Row<'_>) -> Result<Entry, StepError> {
    let key = field::<Vec<u8>>(row, 1)?
        .try_into()
        .map_err(|_| corrupt("the key has not 32 bytes"))?;
    let received_at = time(field(row, 5)?);
    let mut entry = Entry::new(field(row, 0)?, DeliveryKey::from_bytes(key), received_at);
    entry.event_id = text(field(row, 2)?);
    entry.appid = text(field(row, 3)?);
    entry.stream_alias = text(field(row, 4)?);
    entry.state = shown(field(row, 6)?);
    entry.attempts = u32::try_from(field::<i64>(row, 7)?).unwrap_or(0);
    entry.due_at = field::<Option<i64>>(row, 8)?.map(time);
    entry.ended_at = field::<Option<i64>>(row, 9)?.map(time);
    entry.last_error = field::<Option<Vec<u8>>>(row, 10)?.map(text);
    Ok(entry)
}

/// A state that is none needs somebody to look at it, as what is dead does.
fn shown(state: i64) -> EntryState {
    state_of_number(state).unwrap_or(EntryState::Dead)
}

fn attempt(row: &Row<'_>) -> Result<Attempt, StepError> {
    let mut attempt = Attempt::new(field(row, 0)?, time(field(row, 1)?));
    attempt.ended_at = field::<Option<i64>>(row, 2)?.map(time);
    attempt.outcome = AttemptOutcome::from_name(&field::<String>(row, 3)?)
        .ok_or_else(|| corrupt("the outcome of an attempt is none"))?;
    let note = Note::new(text(field(row, 5)?));
    attempt.note = match field::<Option<u16>>(row, 4)? {
        Some(status) => note.with_status(status),
        None => note,
    };
    Ok(attempt)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
