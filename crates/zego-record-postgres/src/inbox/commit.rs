//! The success of a run in one transaction with statements of its handler.

use tokio::time::timeout;
use tokio_postgres::{Client, IsolationLevel, Transaction};
use zego_record_inbox::{Delivery, Hold, LeaseLost};
use zego_record_receiver::StoreError;

use super::store::hold_values;
use crate::connection::{Lent, Value, milliseconds, patience};
use crate::error;
use crate::store::PostgresStore;

/// How long a handler's transaction may be idle: longer, and the server takes it for cut off and rolls it
/// back. Nobody else can run the callback as long as its row is locked.
const IDLE: &str = "60s";

impl PostgresStore {
    /// Commits what a handler has to write together with the success of its run, in one transaction:
    /// exactly once. Call it inside the handler, as its last act, and return its error.
    ///
    /// `work` gets the transaction and must not end it, nor change settings of the session. The callback's
    /// row is locked meanwhile, so do what takes long before; the server rolls back after a minute of
    /// silence. Each call holds a connection of the pool, so give the pool more connections than the worker
    /// runs handlers.
    ///
    /// If the future is dropped, the transaction is rolled back.
    ///
    /// # Errors
    ///
    /// * What `work` returns: nothing is committed.
    /// * A [`StoreError`], turned into the error type of `work`, with [`LeaseLost`] as its source if this run
    ///   does not hold the callback any more: `work` was not run.
    /// * A [`StoreError`] if the database has failed. If it failed during the COMMIT, nobody knows the
    ///   outcome, and the worker finds out: there is no further run if it was committed.
    pub async fn commit_with<T, E, W>(&self, delivery: &Delivery, work: W) -> Result<T, E>
    where
        E: From<StoreError>,
        W: AsyncFnOnce(&Transaction<'_>) -> Result<T, E>,
    {
        let guard = delivery.begin_commit();
        let mut lent = Lent::none();
        let client = lent.hold(self.connection().await?);
        let begin = self.begin(client, delivery.hold());
        let begun = timeout(patience(self.timeout()), begin).await;
        let (transaction, is_held) = begun.map_err(|_| error::timeout())??;
        if !is_held {
            self.roll_back(transaction).await?;
            lent.give_back();
            return Err(LeaseLost::error().into());
        }
        let result = match work(&transaction).await {
            Ok(result) => result,
            Err(failed) => {
                if self.roll_back(transaction).await.is_ok() {
                    lent.give_back();
                }
                return Err(failed);
            }
        };
        let commit = timeout(patience(self.timeout()), self.commit(transaction)).await;
        commit.map_err(|_| error::timeout())??;
        guard.committed();
        lent.give_back();
        Ok(result)
    }

    async fn begin<'c>(
        &self,
        client: &'c mut Client,
        hold: &Hold,
    ) -> Result<(Transaction<'c>, bool), StoreError> {
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::ReadCommitted)
            .start()
            .await
            .map_err(error::of_driver)?;
        let settings = format!(
            "SET LOCAL synchronous_commit = on; \
             SET LOCAL idle_in_transaction_session_timeout = '{IDLE}'; \
             SET LOCAL lock_timeout = {}",
            milliseconds(self.timeout())
        );
        let values = hold_values(hold);
        let values: Vec<_> = values.iter().map(Value::typed).collect();
        let (settings, held, reset) = tokio::join!(
            biased;
            transaction.batch_execute(&settings),
            transaction.query_typed(&self.inbox().commit_done, &values),
            // The handler's own statements wait as long as they do elsewhere.
            transaction.batch_execute("SET LOCAL lock_timeout TO DEFAULT"),
        );
        settings.map_err(error::of_driver)?;
        let held = held.map_err(error::of_driver)?;
        reset.map_err(error::of_driver)?;
        Ok((transaction, !held.is_empty()))
    }

    async fn commit(&self, transaction: Transaction<'_>) -> Result<(), StoreError> {
        // Now there is nothing left to wait for. This fails if a statement has failed and the handler did
        // not care: PostgreSQL's COMMIT rolls back then, and calls it a success.
        let idle = format!(
            "SET LOCAL idle_in_transaction_session_timeout = {}",
            milliseconds(patience(self.timeout()))
        );
        let usable = transaction.batch_execute(&idle).await;
        usable.map_err(error::of_driver)?;
        transaction.commit().await.map_err(error::of_driver)
    }

    async fn roll_back(&self, transaction: Transaction<'_>) -> Result<(), StoreError> {
        match timeout(patience(self.timeout()), transaction.rollback()).await {
            Ok(rolled_back) => rolled_back.map_err(error::of_driver),
            Err(_) => Err(error::timeout()),
        }
    }
}
