//! The user's statements and the success of a run in one transaction.

use std::sync::Arc;

use rusqlite::Transaction;
use zego_record_inbox::{Delivery, LeaseLost};
use zego_record_receiver::StoreError;

use crate::SqliteStore;
use crate::step::Step;
use crate::writer::since_1970;

impl SqliteStore {
    /// Commits what the closure writes together with the success of this run of a handler, both or
    /// neither: **exactly once**. Call it in the handler of a worker of this store, as its last act.
    ///
    /// The transaction first marks the callback as done, if this run still holds it; then the closure
    /// runs; then it commits. While it is under way, the worker leaves the lease alone.
    ///
    /// The closure runs on the thread that writes, and every callback that arrives waits for it: it should
    /// be a few statements, and must not wait for this store, the network or a lock. Do what takes long
    /// before.
    ///
    /// # Errors
    ///
    /// What the closure returns; a [`StoreError`], turned into the closure's error type, if the
    /// transaction cannot be begun or committed, the closure panics, or the run no longer holds the
    /// callback, for which see [`LeaseLost`]. Then nothing was written. Only if the disk fails in the
    /// commit itself, whether it was written is unknown, and the next run finds out.
    pub async fn commit_with<T, E, F>(&self, delivery: &Delivery, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let guard = delivery.begin_commit();
        let hold = *delivery.hold();
        let (statements, clock) = (Arc::clone(&self.statements), Arc::clone(&self.clock));
        let finish_and_work = move |transaction: &Transaction<'_>| {
            let step = Step {
                connection: transaction,
                statements: &statements,
                now: since_1970(&clock),
            };
            if !step.finish(&hold).map_err(StoreError::from)? {
                return Err(E::from(LeaseLost::error()));
            }
            work(transaction)
        };
        let then = move |result: &Result<T, E>| {
            if result.is_ok() {
                guard.committed();
            }
        };
        self.transaction(finish_and_work, then).await
    }
}
