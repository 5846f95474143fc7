//! One statement in one transaction, in a task that owns the connection.

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

/// A parameter.
pub(crate) enum Value {
    Bytes(Vec<u8>),
    Number(i64),
}

impl Value {
    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }

    pub(crate) fn duration(duration: Duration) -> Self {
        Self::Number(microseconds(duration))
    }

    fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Bytes(bytes) => (bytes, Type::BYTEA),
            Self::Number(number) => (number, Type::INT8),
        }
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
struct Lent(Option<Object>);

impl Lent {
    fn give_back(mut self) {
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

/// Runs a statement and returns once its COMMIT was seen. If the caller goes away, the task goes on.
pub(crate) async fn in_transaction(
    pool: Pool,
    statement: String,
    values: Vec<Value>,
    timeout: Duration,
) -> Result<Outcome, StoreError> {
    owned(run(pool, statement, values, timeout)).await
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

async fn run(
    pool: Pool,
    statement: String,
    values: Vec<Value>,
    timeout: Duration,
) -> Result<Outcome, StoreError> {
    let deadline = Instant::now() + timeout + GRACE;
    let connection = match timeout_at(deadline, pool.get()).await {
        Ok(connection) => connection.map_err(error::of_pool)?,
        Err(_) => return Err(error::timeout()),
    };
    let mut lent = Lent(None);
    let client = lent.0.insert(connection);
    match timeout_at(deadline, commit(client, &statement, &values, timeout)).await {
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
/// that a pooler may stand in between.
async fn commit(
    client: &Client,
    statement: &str,
    values: &[Value],
    timeout: Duration,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    // No statement_timeout: it would end the wait for a synchronous replica as if it had confirmed.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; \
         SET LOCAL lock_timeout = {}",
        timeout.as_millis().clamp(1, 3_600_000)
    );
    let values: Vec<_> = values.iter().map(Value::typed).collect();
    let (begin, rows, commit) = tokio::join!(
        biased;
        client.batch_execute(&begin),
        client.query_typed(statement, &values),
        client.batch_execute("COMMIT"),
    );
    begin?;
    let rows = rows?;
    commit?;
    Ok(rows)
}
