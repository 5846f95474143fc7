//! Rows of work and callbacks, as they are read and written.

use std::time::{Duration, SystemTime};

use rusqlite::Row;
use zego_record_core::DeliveryKey;
use zego_record_inbox::{Note, Over, OverState, StoredCallback, WorkRecord};
use zego_record_receiver::Owner;

use crate::step::{StepError, corrupt, field};

const DONE: i64 = 1;
const DISCARDED: i64 = 2;
const DEAD: i64 = 3;

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
    let state = match field::<Option<i64>>(row, 4)? {
        None => None,
        Some(DONE) => Some(OverState::Done),
        Some(DISCARDED) => Some(OverState::Discarded),
        Some(DEAD) => Some(OverState::Dead),
        Some(_) => return Err(corrupt("it is over in none of the ways 1, 2 and 3")),
    };
    let at = time(5, "it is over since before 1970")?;
    record.over = match (state, at) {
        (None, _) => None,
        (Some(state), Some(at)) => Some(Over { state, at }),
        (Some(_), None) => return Err(corrupt("it is over without a time")),
    };
    if record.over.is_some() == record.due_at.is_some() {
        return Err(corrupt("it must be either due or over"));
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

/// The number of a state in the column `over`.
pub(crate) const fn over_number(state: OverState) -> i64 {
    match state {
        OverState::Done => DONE,
        OverState::Discarded => DISCARDED,
        OverState::Dead => DEAD,
    }
}

/// As long as a note may be.
pub(crate) fn cut(text: &str) -> &[u8] {
    let end = text.floor_char_boundary(Note::MAX_TEXT);
    &text.as_bytes()[..end]
}
