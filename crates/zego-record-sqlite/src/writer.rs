//! The one thread that writes, with group commit.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, Transaction};
use tokio::sync::oneshot;
use zego_record_receiver::StoreError;

use crate::error::{Problem, closure_panicked, explain, is_of_the_file};
use crate::failpoint::failpoint;
use crate::open::{Opener, begin};
use crate::sql::Statements;
use crate::step::{Step, StepError};
use crate::store::Clock;

/// What the thread is asked to do.
pub(crate) enum Job {
    /// Shares a transaction with others.
    Step(Box<dyn Batched>),
    /// Has a transaction of its own.
    Transaction(Box<dyn OwnTransaction>),
}

/// A step that may be run several times before it is answered.
pub(crate) trait Batched: Send {
    fn run(&mut self, step: &Step<'_>) -> Result<(), rusqlite::Error>;
    fn answer(self: Box<Self>);
    fn fail(self: Box<Self>, error: StoreError);
}

/// A user's transaction, run once and answered.
pub(crate) trait OwnTransaction: Send {
    fn run(self: Box<Self>, connection: Result<&mut Connection, Problem>, lock_timeout: Duration);
}

/// A step, what follows its commit, and whom to answer. Nobody may listen any more, which changes nothing.
pub(crate) struct Pending<T, F, A> {
    work: F,
    then: A,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F, A> Pending<T, F, A> {
    pub(crate) fn new(work: F, then: A, reply: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self {
            work,
            then,
            result: None,
            reply,
        }
    }
}

impl<T, F, A> Batched for Pending<T, F, A>
where
    T: Send,
    F: Fn(&Step<'_>) -> Result<T, StepError> + Send,
    A: FnOnce(&T) + Send,
{
    fn run(&mut self, step: &Step<'_>) -> Result<(), rusqlite::Error> {
        self.result = match (self.work)(step) {
            Ok(result) => Some(Ok(result)),
            Err(StepError::Row(error)) => Some(Err(error)),
            Err(StepError::Sql(error)) => return Err(error),
        };
        Ok(())
    }

    fn answer(self: Box<Self>) {
        if let Some(result) = self.result {
            if let Ok(result) = &result {
                (self.then)(result);
            }
            let _ = self.reply.send(result);
        }
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

/// A user's closure, what follows its end, and whom to answer.
pub(crate) struct Closure<T, E, F, A> {
    pub(crate) work: F,
    pub(crate) then: A,
    pub(crate) reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F, A> OwnTransaction for Closure<T, E, F, A>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
    A: FnOnce(&Result<T, E>) + Send,
{
    fn run(self: Box<Self>, connection: Result<&mut Connection, Problem>, lock_timeout: Duration) {
        let Self { work, then, reply } = *self;
        let problem = |problem| E::from(StoreError::from(problem));
        let result = connection.map_err(problem).and_then(|connection| {
            let transaction =
                begin(connection, lock_timeout).map_err(|error| problem(explain(error)))?;
            // Nothing of ours is shared with the closure but the transaction, which is rolled back.
            match catch_unwind(AssertUnwindSafe(|| work(&transaction))) {
                Ok(Ok(value)) => {
                    failpoint("before_transaction_commit");
                    transaction
                        .commit()
                        .map_err(|error| problem(explain(error)))?;
                    failpoint("after_transaction_commit");
                    Ok(value)
                }
                Ok(Err(error)) => Err(error),
                Err(_) => Err(problem(closure_panicked())),
            }
        });
        then(&result);
        let _ = reply.send(result);
    }
}

/// The thread's state.
pub(crate) struct Writer {
    pub(crate) opener: Arc<Opener>,
    pub(crate) statements: Arc<Statements>,
    pub(crate) clock: Clock,
    pub(crate) batch: usize,
    /// None after a failure of disk or file: the next batch opens another one.
    pub(crate) connection: Option<Connection>,
}

impl Writer {
    /// Works until the last handle is dropped and everything that was queued is done.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let mut queue = VecDeque::from([job]);
            while queue.len() < self.batch
                && let Ok(job) = jobs.try_recv()
            {
                queue.push_back(job);
            }
            let mut batch = Vec::with_capacity(queue.len());
            for job in queue {
                match job {
                    Job::Step(step) => batch.push(step),
                    Job::Transaction(transaction) => {
                        self.run_batch(std::mem::take(&mut batch));
                        let lock_timeout = self.opener.timeout;
                        transaction.run(self.connection(), lock_timeout);
                        self.end_transaction();
                    }
                }
            }
            self.run_batch(batch);
        }
    }

    fn run_batch(&mut self, mut batch: Vec<Box<dyn Batched>>) {
        if batch.is_empty() {
            return;
        }
        failpoint("before_begin");
        match self.commit_together(&mut batch) {
            Ok(()) => {
                failpoint("before_answer");
                batch.into_iter().for_each(|step| step.answer());
            }
            // Somebody's row or content may be at fault, which must not stop the others.
            Err(failure) if !failure.of_all && batch.len() > 1 => {
                self.end_transaction();
                batch
                    .into_iter()
                    .for_each(|step| self.run_batch(vec![step]));
            }
            Err(failure) => {
                self.connection = None;
                batch
                    .into_iter()
                    .for_each(|step| step.fail(failure.problem.clone().into()));
            }
        }
    }

    fn commit_together(&mut self, batch: &mut [Box<dyn Batched>]) -> Result<(), Failure> {
        let (statements, clock) = (Arc::clone(&self.statements), Arc::clone(&self.clock));
        let lock_timeout = self.opener.timeout;
        let connection = self.connection().map_err(Failure::of_all)?;
        let transaction =
            begin(connection, lock_timeout).map_err(|error| Failure::of_all(explain(error)))?;
        // Read only now, since the lock may have been waited for.
        let step = Step {
            connection: &transaction,
            statements: &statements,
            now: since_1970(&clock),
        };
        for member in batch {
            member.run(&step).map_err(Failure::new)?;
        }
        failpoint("before_commit");
        transaction.commit().map_err(Failure::new)?;
        failpoint("after_commit");
        Ok(())
    }

    /// The connection, or another one after it has failed. The file is not created anew: what was
    /// acknowledged is in the one that is missing.
    fn connection(&mut self) -> Result<&mut Connection, Problem> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.opener.connection()?,
        };
        Ok(self.connection.insert(connection))
    }

    /// No step may ever run inside of somebody else's transaction.
    fn end_transaction(&mut self) {
        self.connection
            .take_if(|connection| !connection.is_autocommit());
    }
}

/// Why a batch has failed.
struct Failure {
    /// Whether each member alone would fail as well.
    of_all: bool,
    problem: Problem,
}

impl Failure {
    fn new(error: rusqlite::Error) -> Self {
        Self {
            of_all: is_of_the_file(&error),
            problem: explain(error),
        }
    }

    fn of_all(problem: Problem) -> Self {
        Self {
            of_all: true,
            problem,
        }
    }
}

/// The time of day, in whole milliseconds.
pub(crate) fn since_1970(clock: &Clock) -> Duration {
    let now = clock()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
