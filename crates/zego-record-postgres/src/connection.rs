//! One step in one transaction, in a task that owns the connection.

use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use zego_record_receiver::{StoreError, StoreErrorKind};

use crate::error;

/// How much longer the client waits than the server may wait for a lock, so that it is the server
/// that gives up first and says why.
const GRACE: Duration = Duration::from_millis(500);

/// A parameter, or null.
pub(crate) enum Value {
    Bytes(Option<Vec<u8>>),
    Number(Option<i64>),
    Text(Option<String>),
}

impl Value {
    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }

    pub(crate) const fn number(number: i64) -> Self {
        Self::Number(Some(number))
    }

    pub(crate) fn duration(duration: Duration) -> Self {
        Self::number(microseconds(duration))
    }

    pub(crate) fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Bytes(bytes) => (bytes, Type::BYTEA),
            Self::Number(number) => (number, Type::INT8),
            Self::Text(text) => (text, Type::TEXT),
        }
    }
}

/// What a transaction runs.
pub(crate) struct Step {
    before: Option<Box<Step>>,
    statement: String,
    values: Vec<Value>,
}

impl Step {
    pub(crate) const fn new(statement: String, values: Vec<Value>) -> Self {
        Self {
            before: None,
            statement,
            values,
        }
    }

    /// The same after another statement, whose rows do not matter.
    pub(crate) fn after(mut self, before: Self) -> Self {
        self.before = Some(Box::new(before));
        self
    }

    async fn run_alone(&self, client: &Client) -> Result<Vec<Row>, tokio_postgres::Error> {
        let values: Vec<_> = self.values.iter().map(Value::typed).collect();
        client.query_typed(&self.statement, &values).await
    }
}

/// A duration in microseconds, a hundred years at most.
pub(crate) fn microseconds(duration: Duration) -> i64 {
    const MOST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    i64::try_from(duration.min(MOST).as_micros()).unwrap_or(i64::MAX)
}

/// What a transaction came to.
pub(crate) enum Outcome {
    /// It is committed.
    Committed(Vec<Row>),
    /// Somebody else's transaction kept its lock for too long.
    Locked,
}

/// A connection that goes back to its pool only when it is known to be outside of a transaction.
pub(crate) struct Lent(Option<Object>);

impl Lent {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) fn hold(&mut self, connection: Object) -> &mut Client {
        self.0.insert(connection)
    }

    pub(crate) fn give_back(mut self) {
        self.0 = None;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

/// Runs a future in a task of its own, so that a caller that is dropped stops nothing in the middle.
pub(crate) async fn owned<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(stopped) => Err(StoreError::new(StoreErrorKind::Unavailable, stopped)),
    }
}

/// How long the client waits for a step, with a lock that the server may wait for.
pub(crate) fn patience(timeout: Duration) -> Duration {
    timeout.saturating_add(GRACE)
}

/// A timeout in the milliseconds that the server takes.
pub(crate) fn milliseconds(timeout: Duration) -> u128 {
    timeout.as_millis().clamp(1, 3_600_000)
}

/// A connection of the pool.
pub(crate) async fn lend(pool: &Pool, deadline: Instant) -> Result<Object, StoreError> {
    match timeout_at(deadline, pool.get()).await {
        Ok(connection) => connection.map_err(error::of_pool),
        Err(_) => Err(error::timeout()),
    }
}

/// Runs a step in a transaction and returns once its COMMIT was seen. It must not be dropped before it is
/// done, see [`owned`].
pub(crate) async fn run(
    pool: &Pool,
    step: &Step,
    timeout: Duration,
) -> Result<Outcome, StoreError> {
    let deadline = Instant::now() + patience(timeout);
    let mut lent = Lent::none();
    let client = lent.hold(lend(pool, deadline).await?);
    match timeout_at(deadline, commit(client, step, timeout)).await {
        Ok(Ok(rows)) => {
            lent.give_back();
            Ok(Outcome::Committed(rows))
        }
        Ok(Err(error)) if error::is_locked(&error) => Ok(Outcome::Locked),
        Ok(Err(error)) => Err(error::of_driver(error)),
        Err(_) => Err(error::timeout()),
    }
}

/// Sends all at once, in one round trip. No statement is named and nothing outlives the transaction, so
/// that a pooler may stand in between. A transaction whose end is lost on the way must not hold its locks
/// until the server notices that the connection is dead.
async fn commit(
    client: &Client,
    step: &Step,
    timeout: Duration,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    // No statement_timeout: it would end the wait for a synchronous replica as if it had confirmed.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; \
         SET LOCAL lock_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}",
        milliseconds(timeout),
        milliseconds(patience(timeout)),
    );
    let before = async {
        match &step.before {
            Some(before) => before.run_alone(client).await.map(drop),
            None => Ok(()),
        }
    };
    let (begin, before, rows, commit) = tokio::join!(
        biased;
        client.batch_execute(&begin),
        before,
        step.run_alone(client),
        client.batch_execute("COMMIT"),
    );
    begin?;
    before?;
    let rows = rows?;
    commit?;
    Ok(rows)
}
