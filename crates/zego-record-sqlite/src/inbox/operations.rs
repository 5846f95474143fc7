//! What operators do.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use zego_record_core::DeliveryKey;
use zego_record_inbox::{EntryState, Filter, WorkRecord};

use super::filter::{Conditions, state_number};
use super::row::work;
use crate::step::{Step, StepError, milliseconds};

/// What an operator does to callbacks that match a filter.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Redeliver,
    Discard { reason: String },
}

impl Operation {
    const fn states(&self) -> &'static [EntryState] {
        use EntryState::{Dead, Discarded, Done, Waiting};
        match self {
            Self::Redeliver => &[Waiting, Done, Dead, Discarded],
            Self::Discard { .. } => &[Waiting, Dead],
        }
    }

    fn apply(&self, record: &WorkRecord, now: Duration) -> Option<WorkRecord> {
        match self {
            Self::Redeliver => record.redeliver(now),
            Self::Discard { .. } => record.discard(now),
        }
    }
}

impl Step<'_> {
    /// The callbacks to which an operation applies, the oldest first. A search may take long, so it is
    /// done without the write lock.
    pub(crate) fn search(
        &self,
        filter: &Filter,
        operation: &Operation,
        limit: u32,
    ) -> Result<Vec<i64>, StepError> {
        let mut conditions = Conditions::new(filter);
        if filter.state.is_none() {
            let states = operation.states().iter().map(|state| state_number(*state));
            let states: Vec<String> = states.map(|state| state.to_string()).collect();
            let states = format!("+w.state IN ({})", states.join(", "));
            conditions.add::<i64>(&states, []);
        }
        let search = &self.statements.inbox.matching_ids;
        let search = conditions.append_to(search, &format!(" ORDER BY w.id LIMIT {limit}"));
        let mut search = self.prepare(&search)?;
        let ids = search.query_map(conditions.params(), |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Applies an operation to those that still match. A row that cannot be read stays as it is.
    pub(crate) fn operate(
        &self,
        filter: &Filter,
        operation: &Operation,
        ids: &[i64],
    ) -> Result<u64, StepError> {
        let conditions = Conditions::new(filter);
        let mut find = conditions.append_to(&self.statements.inbox.matching_work, "");
        find.push_str(" AND w.id = ?");
        let mut operated = 0;
        for id in ids {
            let mut of_id = conditions.clone();
            of_id.values.push((*id).into());
            let mut find = self.prepare(&find)?;
            let found = find.query_row(of_id.params(), |row| Ok(work(row)));
            let Some(Ok(record)) = found.optional()? else {
                continue;
            };
            let Some(record) = operation.apply(&record, self.now) else {
                continue;
            };
            self.save_work(*id, &record)?;
            if let Operation::Discard { reason } = operation {
                self.set_error(*id, Some(reason))?;
            }
            operated += 1;
        }
        Ok(operated)
    }

    pub(crate) fn set_paused(&self, paused: bool) -> Result<(), StepError> {
        self.prepare(&self.statements.inbox.set_paused)?
            .execute([paused])?;
        Ok(())
    }

    /// Whether it is there.
    pub(crate) fn renew(&self, key: &DeliveryKey) -> Result<bool, StepError> {
        let renewed = self
            .prepare(&self.statements.inbox.renew)?
            .execute([&key.as_bytes()[..]])?;
        Ok(renewed > 0)
    }

    pub(crate) fn renewals(&self, id: i64) -> Result<u32, StepError> {
        let mut find = self.prepare(&self.statements.inbox.find_renewals)?;
        Ok(find.query_row([id], |row| row.get(0))?)
    }

    pub(crate) fn prune(&self, keep: Duration, limit: u32) -> Result<u64, StepError> {
        let over_since = milliseconds(self.now).checked_sub(milliseconds(keep));
        let Some(over_since) = over_since.filter(|time| *time >= 0) else {
            return Ok(0);
        };
        let statements = &self.statements.inbox;
        let mut removed = 0;
        for prune in [
            &statements.prune_attempts,
            &statements.prune_callbacks,
            &statements.prune_work,
        ] {
            removed = self.prepare(prune)?.execute(params![over_since, limit])?;
        }
        Ok(u64::try_from(removed).unwrap_or(u64::MAX))
    }

    pub(crate) fn erase(&self, key: &DeliveryKey) -> Result<bool, StepError> {
        let statements = &self.statements.inbox;
        // What is erased is overwritten, and not only unlinked.
        let before = self.secure_delete(1)?;
        let id = self.find_id(key)?;
        if let Some(id) = id {
            for erase in [
                &statements.erase_attempts,
                &statements.erase_work,
                &statements.erase_callback,
            ] {
                self.prepare(erase)?.execute([id])?;
            }
        }
        let delivered = self
            .prepare(&statements.erase_delivery)?
            .execute([&key.as_bytes()[..]])?;
        self.secure_delete(before)?;
        Ok(id.is_some() || delivered > 0)
    }

    /// Sets this mode of the connection and returns the one before.
    fn secure_delete(&self, mode: i64) -> Result<i64, StepError> {
        let read = |row: &rusqlite::Row<'_>| row.get(0);
        let before = self
            .connection
            .pragma_query_value(None, "secure_delete", read)?;
        self.connection
            .pragma_update_and_check(None, "secure_delete", mode, |_| Ok(()))?;
        Ok(before)
    }
}
