//! What is done inside a transaction: the transitions of the receiver's crate on rows.

use std::time::{Duration, SystemTime};

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use zego_record_core::{DeliveryKey, RecordCallback};
use zego_record_receiver::{
    Binding, Claim, ClaimOutcome, DeliveryRecord, DeliveryState, Owner, ReplayCheck, Settled,
    Settlement, StoreError, StoreErrorKind,
};

use crate::error::explain;
use crate::sql::Statements;

const RUNNING: i64 = 1;
const DONE: i64 = 2;
const FAILED: i64 = 3;

/// Whether [`SqliteStore::record_in`](crate::SqliteStore::record_in) was the first to mark a delivery
/// as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was not done before. Commit the transaction.
    First,
    /// It is done already, by an earlier run of the handler. Roll the transaction back and succeed.
    Again,
}

/// Why a step has failed.
pub(crate) enum StepError {
    /// The row is not as the store writes it. Nothing was written, and the transaction can go on.
    Row(StoreError),
    /// The transaction has failed.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for StepError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StepError> for StoreError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Row(error) => error,
            StepError::Sql(error) => explain(error).into(),
        }
    }
}

/// The hash by which deliveries about one recorded file are found: the first 16 bytes of SHA-256 of the
/// [event id](RecordCallback::event_id).
pub fn event_hash(event_id: &str) -> [u8; 16] {
    let digest = Sha256::digest(event_id);
    std::array::from_fn(|index| digest[index])
}

/// One atomic step, if it runs in one transaction that holds the write lock.
pub(crate) struct Step<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) statements: &'a Statements,
    /// Since 1970, in whole milliseconds.
    pub(crate) now: Duration,
}

impl Step<'_> {
    pub(crate) fn claim(&self, claim: &Claim) -> Result<ClaimOutcome, StepError> {
        let known = self.find(&claim.key)?;
        let changed = match known {
            Some(record) if !record.is_forgotten(self.now) => record.changed,
            _ => self.knows_another(claim)?,
        };
        let (record, outcome) = DeliveryRecord::claim(known, claim, changed, self.now);
        if let (Some(record), ClaimOutcome::Run(_)) = (record, outcome) {
            self.put(claim, &record)?;
        }
        Ok(outcome)
    }

    pub(crate) fn settle(
        &self,
        claim: &Claim,
        settlement: Settlement,
    ) -> Result<Settled, StepError> {
        let known = self.find(&claim.key)?;
        let (record, settled) = DeliveryRecord::settle(known, claim, settlement, self.now);
        if let (Some(record), Settled::Applied) = (record, settled) {
            self.put(claim, &record)?;
        }
        Ok(settled)
    }

    pub(crate) fn bind(&self, check: &ReplayCheck) -> Result<Binding, StepError> {
        let binding = self.binding(check)?;
        if binding == Binding::First {
            self.put_binding(check)?;
        }
        Ok(binding)
    }

    /// What a binding would be, without binding anything.
    pub(crate) fn binding(&self, check: &ReplayCheck) -> Result<Binding, StepError> {
        let mut find = self.prepare(&self.statements.delivery.find_signature)?;
        let bound = find
            .query_row([&check.signature[..]], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))
            })
            .optional()?;
        if let Some((content, expires)) = bound
            && expires > milliseconds(self.now)
        {
            return match content.len() {
                16 if content == check.content => Ok(Binding::Same),
                16 => Ok(Binding::Conflict),
                _ => Err(corrupt("a content digest has not 16 bytes")),
            };
        }
        Ok(Binding::First)
    }

    pub(crate) fn put_binding(&self, check: &ReplayCheck) -> Result<(), StepError> {
        let expires = milliseconds(self.now.saturating_add(check.keep_for));
        self.prepare(&self.statements.delivery.put_signature)?
            .execute(params![&check.signature[..], &check.content[..], expires])?;
        Ok(())
    }

    pub(crate) fn purge_deliveries(&self, limit: u32) -> Result<u64, StepError> {
        self.purge(&self.statements.delivery.purge_deliveries, limit)
    }

    pub(crate) fn purge_signatures(&self, limit: u32) -> Result<u64, StepError> {
        self.purge(&self.statements.delivery.purge_signatures, limit)
    }

    pub(crate) fn record(
        &self,
        callback: &RecordCallback,
        retention: Duration,
    ) -> Result<Recorded, StepError> {
        let event_id = callback.event_id();
        let expires = milliseconds(self.now.saturating_add(retention));
        let mut record = self.prepare(&self.statements.delivery.record)?;
        let first = record
            .query_row(
                params![
                    &callback.delivery_key().as_bytes()[..],
                    expires,
                    &event_hash(&event_id)[..],
                    event_id.as_bytes()
                ],
                |_| Ok(()),
            )
            .optional()?;
        Ok(first.map_or(Recorded::Again, |()| Recorded::First))
    }

    /// A statement of this connection, prepared once.
    pub(crate) fn prepare(&self, statement: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(statement)
    }

    pub(crate) fn find(&self, key: &DeliveryKey) -> Result<Option<DeliveryRecord>, StepError> {
        let mut find = self.prepare(&self.statements.delivery.find_delivery)?;
        let found = find
            .query_row([&key.as_bytes()[..]], |row| Ok(record(row)))
            .optional()?;
        found.transpose()
    }

    fn purge(&self, statement: &str, limit: u32) -> Result<u64, StepError> {
        let mut purge = self.prepare(statement)?;
        let removed = purge.execute(params![milliseconds(self.now), limit])?;
        Ok(u64::try_from(removed).unwrap_or(u64::MAX))
    }

    fn knows_another(&self, claim: &Claim) -> Result<bool, StepError> {
        let mut knows = self.prepare(&self.statements.delivery.knows_another)?;
        Ok(knows.query_row(
            params![
                &event_hash(&claim.event_id)[..],
                &claim.key.as_bytes()[..],
                milliseconds(self.now)
            ],
            |row| row.get(0),
        )?)
    }

    fn put(&self, claim: &Claim, record: &DeliveryRecord) -> Result<(), StepError> {
        let (state, owner, lease_ends) = match record.state {
            DeliveryState::Running { owner, lease_ends } => (
                RUNNING,
                Some(owner.get().to_be_bytes()),
                Some(milliseconds(lease_ends)),
            ),
            DeliveryState::Done => (DONE, None, None),
            DeliveryState::Failed => (FAILED, None, None),
        };
        self.prepare(&self.statements.delivery.put_delivery)?
            .execute(params![
                &claim.key.as_bytes()[..],
                state,
                owner.as_ref().map(|owner| &owner[..]),
                lease_ends,
                record.epoch,
                record.changed,
                milliseconds(record.expires),
                &event_hash(&claim.event_id)[..],
                claim.event_id.as_bytes()
            ])?;
        Ok(())
    }
}

/// A time or duration in milliseconds, rounded up so that nothing ends early.
pub(crate) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// A time of day in milliseconds since 1970.
pub(crate) fn milliseconds_of(time: SystemTime) -> i64 {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
    milliseconds(since_1970.unwrap_or_default())
}

fn record(row: &Row<'_>) -> Result<DeliveryRecord, StepError> {
    let time = |milliseconds: i64| {
        u64::try_from(milliseconds)
            .map(Duration::from_millis)
            .map_err(|_| corrupt("a time is before 1970"))
    };
    if field::<i64>(row, 0)? != 1 {
        return Err(corrupt("the key is of another version"));
    }
    let state = match field::<i64>(row, 1)? {
        RUNNING => {
            let owner = field::<Option<Vec<u8>>>(row, 2)?
                .and_then(|owner| owner.try_into().ok())
                .map(u128::from_be_bytes)
                .ok_or_else(|| corrupt("the owner has not 16 bytes"))?;
            let lease_ends = field::<Option<i64>>(row, 3)?
                .ok_or_else(|| corrupt("a delivery is running without a lease"))?;
            DeliveryState::Running {
                owner: Owner::new(owner),
                lease_ends: time(lease_ends)?,
            }
        }
        DONE => DeliveryState::Done,
        FAILED => DeliveryState::Failed,
        _ => return Err(corrupt("the state is none of 1, 2 and 3")),
    };
    Ok(DeliveryRecord {
        state,
        epoch: field(row, 4)?,
        changed: field(row, 5)?,
        expires: time(field(row, 6)?)?,
    })
}

/// A column, or the complaint that it has another type or range.
pub(crate) fn field<T: rusqlite::types::FromSql>(
    row: &Row<'_>,
    index: usize,
) -> Result<T, StepError> {
    row.get(index)
        .map_err(|error| StepError::Row(StoreError::new(StoreErrorKind::Corrupt, error)))
}

pub(crate) fn corrupt(what: &str) -> StepError {
    let text = format!("{what}: look at the row and remove it");
    StepError::Row(StoreError::new(StoreErrorKind::Corrupt, text))
}
