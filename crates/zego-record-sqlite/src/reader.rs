//! The thread that reads, on a connection of its own, so that a long list delays nothing that is written.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::Connection;
use tokio::sync::oneshot;
use zego_record_receiver::StoreError;

use crate::error::{Problem, explain};
use crate::open::Opener;
use crate::sql::Statements;
use crate::step::{Step, StepError};
use crate::store::Clock;
use crate::writer::since_1970;

/// What the thread is asked to do, in one transaction that sees one state of the database.
pub(crate) trait Read: Send {
    fn is_wanted(&self) -> bool;
    /// Returns whether the connection is still good.
    fn run(self: Box<Self>, step: Result<&Step<'_>, Problem>) -> bool;
}

/// A read, and whom to answer.
pub(crate) struct PendingRead<T, F> {
    pub(crate) work: F,
    pub(crate) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Read for PendingRead<T, F>
where
    T: Send,
    F: FnOnce(&Step<'_>) -> Result<T, StepError> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(self: Box<Self>, step: Result<&Step<'_>, Problem>) -> bool {
        let Self { work, reply } = *self;
        let result = match step {
            Ok(step) => work(step),
            Err(problem) => Err(StepError::Row(problem.into())),
        };
        let good = !matches!(result, Err(StepError::Sql(_)));
        let _ = reply.send(result.map_err(StoreError::from));
        good
    }
}

/// The thread's state.
pub(crate) struct Reader {
    pub(crate) opener: Arc<Opener>,
    pub(crate) statements: Arc<Statements>,
    pub(crate) clock: Clock,
    /// None until something is read, and after a failure.
    pub(crate) connection: Option<Connection>,
}

impl Reader {
    /// Works until the last handle is dropped.
    pub(crate) fn run(mut self, reads: &Receiver<Box<dyn Read>>) {
        while let Ok(read) = reads.recv() {
            if read.is_wanted() && !self.read(read) {
                self.connection = None;
            }
        }
    }

    fn read(&mut self, read: Box<dyn Read>) -> bool {
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.opener.reading(),
        };
        let connection = match connection {
            Ok(connection) => self.connection.insert(connection),
            Err(problem) => return read.run(Err(problem)),
        };
        let transaction = match connection.transaction() {
            Ok(transaction) => transaction,
            Err(error) => {
                read.run(Err(explain(error)));
                return false;
            }
        };
        read.run(Ok(&Step {
            connection: &transaction,
            statements: &self.statements,
            now: since_1970(&self.clock),
        }))
    }
}
