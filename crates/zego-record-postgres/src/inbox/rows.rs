//! Rows of the inbox. Texts are shown as well as they can be; what has no meaning is corrupt.

use std::time::SystemTime;

use tokio_postgres::Row;
use zego_record_core::DeliveryKey;
use zego_record_inbox::{
    Attempt, AttemptOutcome, Claimed, Details, Entry, EntryState, Hold, Note, Stats, StoredCallback,
};
use zego_record_receiver::{Owner, StoreError};

use crate::error;
use crate::store::read;

/// The hold of a row of `CLAIM_DUE`.
pub(crate) fn hold(row: &Row, owner: Owner) -> Result<Hold, StoreError> {
    Ok(Hold::new(read(row, 0)?, owner, number(row, 1)?))
}

pub(crate) fn claimed(row: &Row, hold: Hold) -> Result<Claimed, StoreError> {
    let attempt = number(row, 2)?;
    let callback = StoredCallback::new(key(row, 3)?, read(row, 4)?, read(row, 5)?);
    let claimed = Claimed::new(hold, callback, attempt, read(row, 6)?);
    Ok(claimed.with_renewals(number(row, 7)?))
}

pub(crate) fn entry(row: &Row) -> Result<Entry, StoreError> {
    let mut entry = Entry::new(read(row, 0)?, key(row, 1)?, read(row, 5)?);
    entry.event_id = text(read(row, 2)?);
    entry.appid = text(read(row, 3)?);
    entry.stream_alias = text(read(row, 4)?);
    entry.state = state(read(row, 6)?, read(row, 7)?)?;
    entry.attempts = number(row, 8)?;
    entry.due_at = read(row, 9)?;
    entry.ended_at = read(row, 10)?;
    entry.last_error = read::<Option<&[u8]>>(row, 11)?.map(text);
    Ok(entry)
}

/// All rows of `GET`, which has the latest attempt first.
pub(crate) fn details(rows: &[Row]) -> Result<Option<Details>, StoreError> {
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let entry = entry(first)?;
    let callback = StoredCallback::new(entry.key, read(first, 12)?, entry.received_at);
    let mut attempts = Vec::new();
    for row in rows.iter().rev() {
        attempts.extend(attempt(row)?);
    }
    Ok(Some(Details::new(entry, callback, attempts)))
}

pub(crate) fn stats(row: &Row) -> Result<Stats, StoreError> {
    let states = [
        EntryState::Waiting,
        EntryState::Running,
        EntryState::Done,
        EntryState::Discarded,
        EntryState::Dead,
    ];
    let mut stats = Stats::default();
    for (column, state) in states.into_iter().enumerate() {
        stats.set(state, count(row, column)?);
    }
    let oldest: Option<i64> = read(row, 5)?;
    let oldest = oldest.map(|age| u64::try_from(age).unwrap_or_default());
    stats.oldest = oldest.map(std::time::Duration::from_micros);
    stats.paused = read(row, 6)?;
    Ok(stats)
}

pub(crate) fn count(row: &Row, column: usize) -> Result<u64, StoreError> {
    let count: i64 = read(row, column)?;
    u64::try_from(count).map_err(|_| error::corrupt("a count is negative"))
}

fn attempt(row: &Row) -> Result<Option<Attempt>, StoreError> {
    if read::<Option<i32>>(row, 13)?.is_none() {
        return Ok(None);
    }
    let started_at: SystemTime = read(row, 14)?;
    let mut attempt = Attempt::new(number(row, 13)?, started_at);
    attempt.ended_at = read(row, 15)?;
    attempt.outcome = AttemptOutcome::from_name(read(row, 16)?)
        .ok_or_else(|| error::corrupt("an attempt has an unknown outcome; remove it"))?;
    attempt.note = Note::new(text(read::<Option<&[u8]>>(row, 18)?.unwrap_or_default()));
    if let Some(status) = read::<Option<i32>>(row, 17)? {
        let status = u16::try_from(status)
            .map_err(|_| error::corrupt("an attempt has an impossible status; remove it"))?;
        attempt.note = attempt.note.with_status(status);
    }
    Ok(Some(attempt))
}

fn state(is_running: bool, over: Option<i16>) -> Result<EntryState, StoreError> {
    match over {
        None if is_running => Ok(EntryState::Running),
        None => Ok(EntryState::Waiting),
        Some(1) => Ok(EntryState::Done),
        Some(2) => Ok(EntryState::Discarded),
        Some(3) => Ok(EntryState::Dead),
        Some(_) => Err(error::corrupt(
            "a callback is over in an unknown way; erase it",
        )),
    }
}

fn key(row: &Row, column: usize) -> Result<DeliveryKey, StoreError> {
    let bytes: Option<&[u8]> = read(row, column)?;
    let key = bytes.and_then(|bytes| bytes.try_into().ok());
    key.map(DeliveryKey::from_bytes)
        .ok_or_else(|| error::corrupt("a callback is absent or its delivery key is not 32 bytes"))
}

fn number(row: &Row, column: usize) -> Result<u32, StoreError> {
    let number: i32 = read(row, column)?;
    u32::try_from(number).map_err(|_| error::corrupt("a counter is negative; erase its callback"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
