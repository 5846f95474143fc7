//! The handle that a program holds.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use rusqlite::Transaction;
use tokio::sync::oneshot;
use zego_record_core::RecordCallback;
use zego_record_inbox::Arrivals;
use zego_record_receiver::{
    Binding, BoxFuture, Claim, ClaimOutcome, DeliveryStore, ReplayCheck, ReplayGuard, Settled,
    Settlement, StoreError,
};

use crate::builder::SqliteStoreBuilder;
use crate::error::{reader_ended, writer_ended};
use crate::open::Opener;
use crate::reader::{PendingRead, Read};
use crate::sql::Statements;
use crate::step::{Recorded, Step, StepError};
use crate::writer::{Closure, Job, Pending, since_1970};

pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Deliveries, signatures and an inbox in one SQLite database: a [`DeliveryStore`], a [`ReplayGuard`] and an
/// [`InboxStore`](zego_record_inbox::InboxStore).
///
/// Clones share one thread and connection that write, and one of each that read. The threads end when the
/// last of them is dropped and everything that was asked for is done. A call that writes is carried out
/// all the same when its future is dropped.
#[derive(Clone)]
pub struct SqliteStore {
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) reads: mpsc::Sender<Box<dyn Read>>,
    pub(crate) statements: Arc<Statements>,
    pub(crate) opener: Arc<Opener>,
    pub(crate) clock: Clock,
    pub(crate) retention: Duration,
    pub(crate) arrivals: Arrivals,
}

impl SqliteStore {
    /// Opens a database, and creates file and tables if they are missing. It blocks until this is done.
    ///
    /// # Errors
    ///
    /// As [`SqliteStoreBuilder::open`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::builder(path).open()
    }

    /// Options, and then [`open`](SqliteStoreBuilder::open).
    pub fn builder(path: impl Into<PathBuf>) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(path.into())
    }

    /// Marks the delivery of this callback as done in a transaction of yours, whose other statements
    /// then take effect exactly once. Call it last and commit if it returns
    /// [`First`](Recorded::First). If it returns [`Again`](Recorded::Again), an earlier run of the handler
    /// has committed: roll back, and return `Ok` from the handler.
    ///
    /// The transaction may be of any connection to the database of this store, and must not wait for
    /// this store: until it ends, nobody else can write.
    ///
    /// # Errors
    ///
    /// [`Config`](zego_record_receiver::StoreErrorKind::Config) if the transaction is of another
    /// database, and what else SQLite reports. Roll back and let the handler fail.
    pub fn record_in(
        &self,
        transaction: &Transaction<'_>,
        callback: &RecordCallback,
    ) -> Result<Recorded, StoreError> {
        let step = Step {
            connection: transaction,
            statements: &self.statements,
            now: since_1970(&self.clock),
        };
        Ok(step.record(callback, self.retention)?)
    }

    /// Runs a transaction on the connection of this store, which holds the write lock from its start:
    /// committed if the closure returns `Ok`, rolled back if it returns an error or panics.
    ///
    /// For users who have no connection of their own. The closure runs on the writer thread, and every
    /// claim waits for it: it should be a few statements, and must not wait for this store.
    ///
    /// # Errors
    ///
    /// What the closure returns; a [`StoreError`], turned into the closure's error type, if the
    /// transaction cannot be begun or committed, or the closure panics.
    ///
    /// ```
    /// # use zego_record_sqlite::{Recorded, SqliteStore};
    /// # use zego_record_core::RecordCallback;
    /// # use zego_record_sqlite::rusqlite;
    /// # use zego_record_receiver::StoreError;
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// enum Failure {
    ///     Again,
    ///     Other(Error),
    /// }
    /// # impl From<StoreError> for Failure {
    /// #     fn from(error: StoreError) -> Self { Self::Other(error.into()) }
    /// # }
    /// # impl From<rusqlite::Error> for Failure {
    /// #     fn from(error: rusqlite::Error) -> Self { Self::Other(error.into()) }
    /// # }
    ///
    /// async fn on_record(store: SqliteStore, recording: RecordCallback) -> Result<(), Error> {
    ///     let this = store.clone();
    ///     let save = move |tx: &rusqlite::Transaction<'_>| -> Result<(), Failure> {
    ///         tx.execute("INSERT INTO lesson (url) VALUES (?1)", [recording.replay_url()])?;
    ///         match this.record_in(tx, &recording)? {
    ///             Recorded::First => Ok(()),
    ///             // An error rolls back.
    ///             Recorded::Again => Err(Failure::Again),
    ///         }
    ///     };
    ///     match store.with_transaction(save).await {
    ///         Ok(()) | Err(Failure::Again) => Ok(()),
    ///         Err(Failure::Other(error)) => Err(error),
    ///     }
    /// }
    /// ```
    pub async fn with_transaction<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        self.transaction(work, |_| ()).await
    }

    /// Runs a transaction, and then something else on the writer thread, even if nobody waits any more.
    pub(crate) async fn transaction<T, E, F, A>(&self, work: F, then: A) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        A: FnOnce(&Result<T, E>) + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let closure = Box::new(Closure { work, then, reply });
        self.jobs
            .send(Job::Transaction(closure))
            .map_err(|_| E::from(writer_ended()))?;
        answer.await.map_err(|_| E::from(writer_ended()))?
    }

    /// Queues a step when the future is first polled.
    pub(crate) fn step<'a, T, F>(&'a self, work: F) -> BoxFuture<'a, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: Fn(&Step<'_>) -> Result<T, StepError> + Send + 'static,
    {
        self.step_then(work, |_| ())
    }

    /// Queues a step when the future is first polled. What follows its commit is done on the writer
    /// thread, even if nobody waits any more; it must not block.
    pub(crate) fn step_then<'a, T, F, A>(
        &'a self,
        work: F,
        then: A,
    ) -> BoxFuture<'a, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: Fn(&Step<'_>) -> Result<T, StepError> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
    {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.jobs
                .send(Job::Step(Box::new(Pending::new(work, then, reply))))
                .map_err(|_| writer_ended())?;
            answer.await.map_err(|_| writer_ended())?
        })
    }

    /// Queues something that only reads when the future is first polled. It is not done if nobody waits
    /// any more.
    pub(crate) fn read<'a, T, F>(&'a self, work: F) -> BoxFuture<'a, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&Step<'_>) -> Result<T, StepError> + Send + 'static,
    {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.reads
                .send(Box::new(PendingRead { work, reply }))
                .map_err(|_| reader_ended())?;
            answer.await.map_err(|_| reader_ended())?
        })
    }
}

impl DeliveryStore for SqliteStore {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        let claim = claim.clone();
        self.step(move |step| step.claim(&claim))
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let claim = claim.clone();
        self.step(move |step| step.settle(&claim, settlement))
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.step(move |step| step.purge_deliveries(limit))
    }

    fn default_retention(&self) -> Duration {
        self.retention
    }

    /// Always 0: the store grows with what it holds.
    fn evictions(&self) -> u64 {
        0
    }
}

impl ReplayGuard for SqliteStore {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        let check = *check;
        self.step(move |step| step.bind(&check))
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.step(move |step| step.purge_signatures(limit))
    }

    /// Always 0: the store grows with what it holds.
    fn evictions(&self) -> u64 {
        0
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
