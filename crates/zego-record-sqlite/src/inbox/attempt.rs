//! The history of a callback.

use rusqlite::params;
use zego_record_inbox::{AttemptOutcome, Details, Hold, Note, WorkRecord};
use zego_record_receiver::Owner;

use super::row::cut;
use crate::step::{Step, StepError, milliseconds};

impl Step<'_> {
    pub(crate) fn start_attempt(
        &self,
        id: i64,
        record: &WorkRecord,
        owner: Owner,
    ) -> Result<(), StepError> {
        let statements = &self.statements.inbox;
        let kept = u32::try_from(Details::MAX_ATTEMPTS).unwrap_or(u32::MAX);
        // Runs that were taken over.
        self.prepare(&statements.lose_attempts)?
            .execute(params![id, record.epoch])?;
        self.prepare(&statements.start_attempt)?.execute(params![
            id,
            record.epoch,
            &owner.get().to_be_bytes()[..],
            milliseconds(self.now)
        ])?;
        if let Some(forgotten) = record.epoch.checked_sub(kept) {
            self.prepare(&statements.cut_attempts)?
                .execute(params![id, forgotten])?;
        }
        Ok(())
    }

    pub(crate) fn end_attempt(
        &self,
        hold: &Hold,
        outcome: AttemptOutcome,
        note: &Note,
    ) -> Result<(), StepError> {
        let statements = &self.statements.inbox;
        self.prepare(&statements.end_attempt)?.execute(params![
            hold.id,
            hold.epoch,
            milliseconds(self.now),
            outcome.as_str(),
            note.status,
            cut(&note.text)
        ])?;
        // Done by a run that had lost its lease: the one that has taken over has nothing more to say.
        self.prepare(&statements.lose_attempts)?
            .execute(params![hold.id, hold.epoch])?;
        Ok(())
    }
}
