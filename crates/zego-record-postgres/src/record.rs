//! The delivery in the user's own transaction.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use zego_record_core::RecordCallback;
use zego_record_receiver::StoreError;

use crate::connection::microseconds;
use crate::store::PostgresStore;
use crate::{error, sql};

/// Whether a transaction was the first to mark a delivery as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is: commit.
    First,
    /// Another one was: roll back, and report success.
    Again,
}

impl PostgresStore {
    /// Marks the delivery as done in your own transaction on the same database, so that its effect happens
    /// exactly once: commit after [`Recorded::First`], roll back after [`Recorded::Again`].
    ///
    /// Call it last: until the transaction ends, it holds the lock of the delivery's row. A claim that
    /// meets the lock waits for the store's timeout at most, and is then busy. The other way round, this call
    /// waits for another transaction that marks the same delivery; set a `lock_timeout` to bound that. Under
    /// `REPEATABLE READ` or `SERIALIZABLE` it fails if the delivery was claimed after the transaction's first
    /// statement or if another one has marked it since; roll back and let the handler fail, to be run again.
    ///
    /// # Errors
    ///
    /// If the statement fails. The transaction is aborted then: roll back, and let the handler fail.
    pub async fn record_in(
        &self,
        transaction: &Transaction<'_>,
        callback: &RecordCallback,
    ) -> Result<Recorded, StoreError> {
        let key = callback.delivery_key();
        let key = key.as_bytes().as_slice();
        let event = sql::event_hash(&callback.event_id());
        let event = event.as_slice();
        let retention = microseconds(self.retention());
        let row = transaction
            .query_typed_one(
                &self.sql().record,
                &[
                    (&key, Type::BYTEA),
                    (&event, Type::BYTEA),
                    (&retention, Type::INT8),
                ],
            )
            .await
            .map_err(error::of_driver)?;
        match row.try_get(0).map_err(error::of_driver)? {
            true => Ok(Recorded::First),
            false => Ok(Recorded::Again),
        }
    }
}
