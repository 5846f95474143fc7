//! Rows of work and callbacks, as they are read and written.

use std::time::{Duration, SystemTime};

use rusqlite::Row;
use zego_record_core::DeliveryKey;
use zego_record_inbox::{EntryState, Note, Over, OverState, StoredCallback, WorkRecord};
use zego_record_receiver::Owner;

use super::filter::state_of_number;
use crate::step::{StepError, corrupt, field};

/// A callback whose time has come.
pub(crate) struct Due {
    pub(crate) id: i64,
    pub(crate) record: WorkRecord,
    pub(crate) callback: StoredCallback,
}

/// The first six columns as a record.
pub(crate) fn work(row: &Row<'_>) -> Result<WorkRecord, StepError> {
    let time = |index, what| match field::<Option<i64>>(row, index)? {
        None => Ok(None),
        Some(time) => match u64::try_from(time) {
            Ok(time) => Ok(Some(Duration::from_millis(time))),
            Err(_) => Err(corrupt(what)),
        },
    };
    let mut record = WorkRecord::new(Duration::ZERO);
    record.due_at = time(0, "it is due before 1970")?;
    record.attempts = field(row, 1)?;
    record.epoch = field(row, 2)?;
    record.owner = match field::<Option<Vec<u8>>>(row, 3)? {
        None => None,
        Some(owner) => {
            let owner = owner
                .try_into()
                .map_err(|_| corrupt("the owner has not 16 bytes"))?;
            Some(Owner::new(u128::from_be_bytes(owner)))
        }
    };
    let state = state_of_number(field(row, 4)?)
        .ok_or_else(|| corrupt("the state is none of 1, 2, 3, 4 and 5"))?;
    let over = match state {
        EntryState::Done => Some(OverState::Done),
        EntryState::Discarded => Some(OverState::Discarded),
        EntryState::Dead => Some(OverState::Dead),
        EntryState::Waiting | EntryState::Running => None,
    };
    let at = time(5, "it is over since before 1970")?;
    record.over = over.zip(at).map(|(state, at)| Over { state, at });
    // Due, owner and time must fit the state as well.
    if record.state() != state || record.over.is_some() == record.due_at.is_some() {
        return Err(corrupt("the columns contradict each other"));
    }
    Ok(record)
}

pub(crate) fn time(milliseconds: i64) -> SystemTime {
    let passed = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    SystemTime::UNIX_EPOCH
        .checked_add(passed)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

pub(crate) fn due(id: i64, row: &Row<'_>) -> Result<Due, StepError> {
    let record = work(row)?;
    match field::<Option<i64>>(row, 7)? {
        Some(1) => {}
        Some(_) => return Err(corrupt("the key is of another version")),
        None => return Err(corrupt("the callback is missing")),
    }
    let key = field::<Vec<u8>>(row, 8)?
        .try_into()
        .map_err(|_| corrupt("the key has not 32 bytes"))?;
    let callback = StoredCallback::new(
        DeliveryKey::from_bytes(key),
        field(row, 10)?,
        time(field(row, 9)?),
    );
    Ok(Due {
        id,
        record,
        callback,
    })
}

/// As long as a note may be.
pub(crate) fn cut(text: &str) -> &[u8] {
    let end = text.floor_char_boundary(Note::MAX_TEXT);
    &text.as_bytes()[..end]
}
