//! The store, and deliveries and signatures in it: one statement for each step.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use zego_record_inbox::Arrivals;
use zego_record_receiver::{
    Binding, BoxFuture, Claim, ClaimOutcome, DeliveryStore, Lease, ReplayCheck, ReplayGuard,
    Settled, Settlement, StoreError,
};

use crate::connection::{self, Outcome, Step, Value, owned, patience};
use crate::inbox::sql::InboxStatements;
use crate::{PostgresStoreBuilder, error, sql};

/// Deliveries, signatures and an inbox in PostgreSQL, for any number of processes. A clone is another handle
/// to the same store.
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

struct Inner {
    pool: Pool,
    sql: Statements,
    inbox: InboxStatements,
    arrivals: Arrivals,
    timeout: Duration,
    retention: Duration,
    warnings: Vec<String>,
}

/// The statements in the schema of the user's choice.
pub(crate) struct Statements {
    claim: String,
    done: String,
    failed: String,
    extend: String,
    bind: String,
    purge_deliveries: String,
    purge_signatures: String,
    pub(crate) record: String,
}

impl PostgresStore {
    /// Opens the store with the defaults of the [builder](Self::builder); its tables are created if they
    /// are absent.
    ///
    /// # Errors
    ///
    /// See [`PostgresStoreBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder().connect(url).await
    }

    /// A store to be configured.
    pub fn builder() -> PostgresStoreBuilder {
        PostgresStoreBuilder::new()
    }

    /// What makes the server less safe than it should be, found when the store was opened: show it to your
    /// operators.
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    pub(crate) fn new(
        pool: Pool,
        schema: &str,
        timeout: Duration,
        retention: Duration,
        warnings: Vec<String>,
    ) -> Self {
        let statement = |text| sql::in_schema(text, schema);
        let sql = Statements {
            claim: statement(sql::CLAIM),
            done: statement(sql::SETTLE_DONE),
            failed: statement(sql::SETTLE_FAILED),
            extend: statement(sql::SETTLE_EXTEND),
            bind: statement(sql::BIND),
            purge_deliveries: statement(sql::PURGE_DELIVERIES),
            purge_signatures: statement(sql::PURGE_SIGNATURES),
            record: statement(sql::RECORD),
        };
        Self(Arc::new(Inner {
            pool,
            sql,
            inbox: InboxStatements::new(schema),
            arrivals: Arrivals::new(),
            timeout,
            retention,
            warnings,
        }))
    }

    pub(crate) fn sql(&self) -> &Statements {
        &self.0.sql
    }

    pub(crate) fn retention(&self) -> Duration {
        self.0.retention
    }

    pub(crate) fn inbox(&self) -> &InboxStatements {
        &self.0.inbox
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    pub(crate) fn workers(&self) -> &Arrivals {
        &self.0.arrivals
    }

    /// Something is due.
    pub(crate) fn wake_workers(&self) {
        self.0.arrivals.notify();
    }

    /// A connection, for a transaction that is not one step.
    pub(crate) async fn connection(&self) -> Result<Object, StoreError> {
        let deadline = Instant::now() + patience(self.0.timeout);
        connection::lend(&self.0.pool, deadline).await
    }

    /// Runs a step and returns once its COMMIT was seen. If the caller goes away, a task goes on.
    pub(crate) async fn step(&self, step: Step) -> Result<Vec<Row>, StoreError> {
        let store = self.clone();
        owned(async move { store.run(step).await }).await
    }

    /// The same in the task of the caller, which must not be cancelled.
    pub(crate) async fn run(&self, step: Step) -> Result<Vec<Row>, StoreError> {
        match self.try_run(&step).await? {
            Outcome::Committed(rows) => Ok(rows),
            Outcome::Locked => Err(error::timeout()),
        }
    }

    async fn try_run(&self, step: &Step) -> Result<Outcome, StoreError> {
        connection::run(&self.0.pool, step, self.0.timeout).await
    }

    async fn rows(&self, statement: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.step(Step::new(statement.to_owned(), values)).await
    }

    async fn remove(&self, statement: &str, limit: u32) -> Result<u64, StoreError> {
        let rows = self
            .rows(statement, vec![Value::number(limit.into())])
            .await?;
        Ok(rows.len() as u64)
    }
}

/// Without the pool, whose configuration holds a password.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("timeout", &self.0.timeout)
            .finish_non_exhaustive()
    }
}

impl DeliveryStore for PostgresStore {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        Box::pin(async move {
            let values = vec![
                Value::bytes(claim.key.as_bytes()),
                Value::bytes(&sql::event_hash(&claim.event_id)),
                Value::bytes(&claim.owner.get().to_be_bytes()),
                Value::duration(claim.lease),
                Value::duration(claim.retention),
            ];
            let (store, step) = (self.clone(), Step::new(self.0.sql.claim.clone(), values));
            match owned(async move { store.try_run(&step).await }).await? {
                Outcome::Committed(rows) => claimed(claim, &rows),
                Outcome::Locked => Ok(ClaimOutcome::Busy),
            }
        })
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        Box::pin(async move {
            let key = Value::bytes(claim.key.as_bytes());
            let owner = Value::bytes(&claim.owner.get().to_be_bytes());
            let retention = Value::duration(claim.retention);
            let sql = &self.0.sql;
            let rows = match settlement {
                Settlement::Done => {
                    let event = Value::bytes(&sql::event_hash(&claim.event_id));
                    self.rows(&sql.done, vec![key, event, retention]).await?
                }
                Settlement::Failed => self.rows(&sql.failed, vec![key, owner, retention]).await?,
                Settlement::Extend => {
                    let lease = Value::duration(claim.lease);
                    self.rows(&sql.extend, vec![key, owner, retention, lease])
                        .await?
                }
            };
            match rows.first().map(|row| read(row, 0)).transpose()? {
                Some(true) => Ok(Settled::Applied),
                Some(false) | None => Ok(Settled::Stale),
            }
        })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.remove(&self.0.sql.purge_deliveries, limit))
    }

    fn default_retention(&self) -> Duration {
        self.0.retention
    }

    /// None: the database makes room by expiry alone.
    fn evictions(&self) -> u64 {
        0
    }
}

impl ReplayGuard for PostgresStore {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        Box::pin(async move {
            let values = vec![
                Value::bytes(&check.signature),
                Value::bytes(&check.content),
                Value::duration(check.keep_for),
            ];
            let rows = self.rows(&self.0.sql.bind, values).await?;
            let row = rows
                .first()
                .ok_or_else(|| error::corrupt("a binding returned no row"))?;
            if read(row, 0)? {
                return Ok(Binding::First);
            }
            let content: &[u8] = read(row, 1)?;
            if content == check.content {
                Ok(Binding::Same)
            } else {
                Ok(Binding::Conflict)
            }
        })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.remove(&self.0.sql.purge_signatures, limit))
    }

    /// None: the database makes room by expiry alone.
    fn evictions(&self) -> u64 {
        0
    }
}

fn claimed(claim: &Claim, rows: &[Row]) -> Result<ClaimOutcome, StoreError> {
    let row = rows
        .first()
        .ok_or_else(|| error::corrupt("a claim returned no row"))?;
    let state: i16 = read(row, 0)?;
    let owner: Option<&[u8]> = read(row, 1)?;
    match (state, owner) {
        (2, _) => Ok(ClaimOutcome::Done),
        (1, Some(owner)) if owner == claim.owner.get().to_be_bytes() => {
            let epoch: i64 = read(row, 2)?;
            let epoch = u32::try_from(epoch)
                .map_err(|_| error::corrupt("an epoch is out of range; remove its delivery"))?;
            Ok(ClaimOutcome::Run(Lease::new(epoch, read(row, 3)?)))
        }
        (1, Some(_)) => Ok(ClaimOutcome::Busy),
        _ => Err(error::corrupt(
            "a delivery has a state that no claim leaves; remove it",
        )),
    }
}

/// A column; one of another type is nothing that this crate has written.
pub(crate) fn read<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|_| {
        error::corrupt("a column is of another type; compare the tables with `sql::SCHEMA`")
    })
}
