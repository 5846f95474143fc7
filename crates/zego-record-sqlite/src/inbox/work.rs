//! Runs of the handler: the transitions of the inbox's crate on rows.

use std::error::Error;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use zego_record_inbox::{
    AttemptOutcome, ClaimDue, Claimed, Hold, Next, Note, RunEnded, WorkRecord,
};
use zego_record_receiver::Settled;

use super::filter::state_number;
use super::row::{Due, cut, due, work};
use crate::step::{Step, StepError, milliseconds};

/// How many rows that cannot be read one claim makes dead letters.
const MOST_UNREADABLE: usize = 1_000;

/// Rows whose time has come, and those of them that cannot be read, with the reason.
#[derive(Default)]
struct Found {
    due: Vec<Due>,
    unreadable: Vec<(i64, String)>,
}

impl Step<'_> {
    pub(crate) fn claim_due(&self, claim: &ClaimDue) -> Result<Vec<Claimed>, StepError> {
        if self.is_paused()? {
            return Ok(Vec::new());
        }
        let found = self.find_due(claim.limit)?;
        for (id, why) in found.unreadable {
            self.bury(id, &why)?;
        }
        let mut claimed = Vec::with_capacity(found.due.len());
        for Due {
            id,
            record,
            callback,
        } in found.due
        {
            let Some(record) = record.claim(claim.owner, claim.lease, self.now) else {
                continue;
            };
            self.save_work(id, &record)?;
            self.start_attempt(id, &record, claim.owner)?;
            let hold = Hold::new(id, claim.owner, record.epoch);
            let changed = self.is_changed(id)?;
            let renewals = self.renewals(id)?;
            claimed.push(
                Claimed::new(hold, callback, record.attempts, changed).with_renewals(renewals),
            );
        }
        Ok(claimed)
    }

    pub(crate) fn extend(&self, hold: &Hold, lease: Duration) -> Result<Settled, StepError> {
        let Some(record) = self.find_work(hold.id)? else {
            return Ok(Settled::Stale);
        };
        let (record, settled) = record.extend(hold, lease, self.now);
        if settled == Settled::Applied {
            self.save_work(hold.id, &record)?;
        }
        Ok(settled)
    }

    pub(crate) fn settle_run(&self, hold: &Hold, ended: &RunEnded) -> Result<Settled, StepError> {
        let Some(record) = self.find_work(hold.id)? else {
            return Ok(Settled::Stale);
        };
        let (record, settled) = record.settle(hold, ended.next, self.now);
        if settled == Settled::Applied {
            self.save_work(hold.id, &record)?;
            let error = (ended.next != Next::Done).then_some(&ended.note.text);
            self.set_error(hold.id, error.map(String::as_str))?;
            self.end_attempt(hold, ended.next.outcome(), &ended.note)?;
        }
        Ok(settled)
    }

    /// Marks a run as done if it is the one that holds the callback. Returns whether it is.
    pub(crate) fn finish(&self, hold: &Hold) -> Result<bool, StepError> {
        let mut finish = self.prepare(&self.statements.inbox.finish)?;
        let held = finish.execute(params![
            hold.id,
            &hold.owner.get().to_be_bytes()[..],
            hold.epoch,
            milliseconds(self.now)
        ])?;
        if held == 0 {
            return Ok(false);
        }
        self.end_attempt(hold, AttemptOutcome::Done, &Note::default())?;
        Ok(true)
    }

    pub(crate) fn is_paused(&self) -> Result<bool, StepError> {
        let mut paused = self.prepare(&self.statements.inbox.is_paused)?;
        let paused = paused.query_row([], |row| row.get(0)).optional()?;
        Ok(paused.unwrap_or(false))
    }

    pub(crate) fn save_work(&self, id: i64, record: &WorkRecord) -> Result<(), StepError> {
        let owner = record.owner.map(|owner| owner.get().to_be_bytes());
        self.prepare(&self.statements.inbox.save_work)?
            .execute(params![
                id,
                record.due_at.map(milliseconds),
                record.attempts,
                record.epoch,
                owner.as_ref().map(|owner| &owner[..]),
                state_number(record.state()),
                record.over.map(|over| milliseconds(over.at)),
            ])?;
        Ok(())
    }

    /// Sets the last error, or removes it.
    pub(crate) fn set_error(&self, id: i64, text: Option<&str>) -> Result<(), StepError> {
        let text = text.map(cut);
        self.prepare(&self.statements.inbox.set_error)?
            .execute(params![id, text])?;
        Ok(())
    }

    fn find_due(&self, limit: u32) -> Result<Found, StepError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found = Found::default();
        let mut find = self.prepare(&self.statements.inbox.find_due)?;
        let mut rows = find.query([milliseconds(self.now)])?;
        while found.due.len() < limit
            && found.unreadable.len() < MOST_UNREADABLE
            && let Some(row) = rows.next()?
        {
            let id = row.get(6)?;
            match due(id, row) {
                Ok(row) => found.due.push(row),
                Err(StepError::Row(error)) => {
                    let why = error.source().map(ToString::to_string);
                    found.unreadable.push((id, why.unwrap_or_default()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn find_work(&self, id: i64) -> Result<Option<WorkRecord>, StepError> {
        let mut find = self.prepare(&self.statements.inbox.find_work)?;
        let found = find.query_row([id], |row| Ok(work(row))).optional()?;
        found.transpose()
    }

    fn is_changed(&self, id: i64) -> Result<bool, StepError> {
        let mut changed = self.prepare(&self.statements.inbox.is_changed)?;
        Ok(changed.query_row([id], |row| row.get(0))?)
    }

    /// A row that cannot be read becomes a dead letter, so that it stops nobody and somebody looks at it.
    fn bury(&self, id: i64, why: &str) -> Result<(), StepError> {
        self.prepare(&self.statements.inbox.bury)?.execute(params![
            id,
            milliseconds(self.now),
            cut(&format!("the store cannot read its row: {why}"))
        ])?;
        self.prepare(&self.statements.inbox.lose_attempts)?
            .execute(params![id, 0])?;
        Ok(())
    }
}
