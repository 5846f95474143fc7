//! Commits callbacks.

use rusqlite::{OptionalExtension, params};
use zego_record_core::DeliveryKey;
use zego_record_inbox::WorkRecord;
use zego_record_receiver::{Accepted, Binding, DeliveryState, NewCallback};

use super::filter::state_number;
use crate::step::{Step, StepError, event_hash, milliseconds};

impl Step<'_> {
    /// Everything is read before anything is written, so that a row that cannot be read leaves nothing
    /// behind.
    pub(crate) fn accept(&self, callback: &NewCallback) -> Result<Accepted, StepError> {
        let binding = match &callback.replay {
            Some(check) => self.binding(check)?,
            None => Binding::Same,
        };
        if binding == Binding::Conflict {
            return Ok(Accepted::Conflict);
        }
        let mut accepted = Accepted::New;
        if self.find_id(&callback.key)?.is_some() {
            accepted = Accepted::Known;
        } else if let Some(delivery) = self.find(&callback.key)? {
            if delivery.is_running(self.now) {
                return Ok(Accepted::Running);
            }
            if delivery.state == DeliveryState::Done && !delivery.is_forgotten(self.now) {
                accepted = Accepted::Known;
            }
        }
        if let (Some(check), Binding::First) = (&callback.replay, binding) {
            self.put_binding(check)?;
        }
        if accepted == Accepted::New {
            self.put_callback(callback)?;
        }
        Ok(accepted)
    }

    pub(crate) fn find_id(&self, key: &DeliveryKey) -> Result<Option<i64>, StepError> {
        let mut find = self.prepare(&self.statements.inbox.find_id)?;
        let found = find.query_row([&key.as_bytes()[..]], |row| row.get(0));
        Ok(found.optional()?)
    }

    fn put_callback(&self, callback: &NewCallback) -> Result<(), StepError> {
        let statements = &self.statements.inbox;
        self.prepare(&statements.put_callback)?.execute(params![
            &callback.key.as_bytes()[..],
            &event_hash(&callback.event_id)[..],
            milliseconds(self.now),
            callback.event_id.as_bytes(),
            callback.appid.as_bytes(),
            callback.stream_alias.as_bytes(),
            callback.stored,
        ])?;
        let id = self.connection.last_insert_rowid();
        let work = WorkRecord::new(self.now);
        self.prepare(&statements.put_work)?.execute(params![
            id,
            work.due_at.map(milliseconds),
            work.attempts,
            work.epoch,
            state_number(work.state())
        ])?;
        Ok(())
    }
}
