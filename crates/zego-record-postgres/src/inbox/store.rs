//! The side of workers and operators.

use std::time::Duration;

use tokio_postgres::Row;
use zego_record_core::DeliveryKey;
use zego_record_inbox::{
    Arrivals, ClaimDue, Claimed, Details, Entry, Filter, Hold, InboxStore, Next, Note, RunEnded,
    Stats,
};
use zego_record_receiver::{BoxFuture, Owner, Settled, StoreError};

use super::{filter, rows};
use crate::connection::{Step, Value, owned};
use crate::error;
use crate::store::PostgresStore;

impl InboxStore for PostgresStore {
    fn claim_due<'a>(
        &'a self,
        claim: &'a ClaimDue,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, StoreError>> {
        let (store, owner) = (self.clone(), claim.owner);
        let values = vec![
            owner_value(owner),
            Value::duration(claim.lease),
            Value::number(claim.limit.into()),
        ];
        let step = Step::new(self.inbox().claim_due.clone(), values);
        Box::pin(owned(async move {
            let rows = store.run(step).await?;
            store.usable(&rows, owner).await
        }))
    }

    fn extend<'a>(
        &'a self,
        hold: &'a Hold,
        lease: Duration,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let mut values = hold_values(hold);
        values.push(Value::duration(lease));
        let step = Step::new(self.inbox().extend.clone(), values);
        Box::pin(async move { Ok(settled(&self.step(step).await?)) })
    }

    fn settle<'a>(
        &'a self,
        hold: &'a Hold,
        ended: &'a RunEnded,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        let (store, step) = (self.clone(), self.settlement(hold, ended));
        let is_due = matches!(
            ended.next,
            Next::Retry(Duration::ZERO) | Next::Release(Duration::ZERO)
        );
        Box::pin(owned(async move {
            let settled = settled(&store.run(step).await?);
            if is_due && settled == Settled::Applied {
                store.wake_workers();
            }
            Ok(settled)
        }))
    }

    fn get<'a>(
        &'a self,
        key: &'a DeliveryKey,
    ) -> BoxFuture<'a, Result<Option<Details>, StoreError>> {
        let step = Step::new(self.inbox().get.clone(), vec![Value::bytes(key.as_bytes())]);
        Box::pin(async move { rows::details(&self.step(step).await?) })
    }

    fn list<'a>(
        &'a self,
        filter: &'a Filter,
        before: Option<i64>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        let more = vec![Value::Number(before), Value::number(limit.into())];
        let step = filter::step(&self.inbox().list, filter, more);
        Box::pin(async move {
            let rows = self.step(step).await?;
            // One that is corrupt must not hide the others. It cannot be shown, not having a key.
            Ok(rows.iter().flat_map(rows::entry).collect())
        })
    }

    fn count<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, StoreError>> {
        let step = filter::step(&self.inbox().count, filter, Vec::new());
        Box::pin(async move { counted(&self.step(step).await?) })
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats, StoreError>> {
        let step = Step::new(self.inbox().stats.clone(), Vec::new());
        Box::pin(async move { rows::stats(only(&self.step(step).await?)?) })
    }

    fn redeliver<'a>(
        &'a self,
        filter: &'a Filter,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        let more = vec![Value::number(limit.into())];
        let step = filter::step(&self.inbox().redeliver, filter, more);
        let store = self.clone();
        Box::pin(owned(async move {
            let redelivered = counted(&store.run(step).await?)?;
            if redelivered > 0 {
                store.wake_workers();
            }
            Ok(redelivered)
        }))
    }

    fn renew<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        let values = vec![Value::bytes(key.as_bytes())];
        let step = Step::new(self.inbox().renew.clone(), values);
        Box::pin(async move { Ok(!self.step(step).await?.is_empty()) })
    }

    fn discard<'a>(
        &'a self,
        filter: &'a Filter,
        reason: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        let reason = Value::bytes(Note::new(reason).text.as_bytes());
        let more = vec![Value::number(limit.into()), reason];
        let step = filter::step(&self.inbox().discard, filter, more);
        Box::pin(async move { counted(&self.step(step).await?) })
    }

    fn set_paused(&self, paused: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        let values = vec![Value::Text(Some(paused.to_string()))];
        let step = Step::new(self.inbox().set_paused.clone(), values);
        let store = self.clone();
        Box::pin(owned(async move {
            store.run(step).await?;
            if !paused {
                store.wake_workers();
            }
            Ok(())
        }))
    }

    fn prune(&self, keep: Duration, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        let values = vec![Value::duration(keep), Value::number(limit.into())];
        let step = Step::new(self.inbox().prune.clone(), values);
        Box::pin(async move { counted(&self.step(step).await?) })
    }

    fn erase<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        let key = || vec![Value::bytes(key.as_bytes())];
        let lock = Step::new(self.inbox().erase_lock.clone(), key());
        let step = Step::new(self.inbox().erase.clone(), key()).after(lock);
        Box::pin(async move { Ok(!self.step(step).await?.is_empty()) })
    }

    fn arrivals(&self) -> &Arrivals {
        self.workers()
    }
}

impl PostgresStore {
    fn settlement(&self, hold: &Hold, ended: &RunEnded) -> Step {
        let (over, delay, given_back) = match ended.next {
            Next::Done => (Some(1), None, 0),
            Next::Discarded => (Some(2), None, 0),
            Next::Dead => (Some(3), None, 0),
            Next::Retry(delay) => (None, Some(delay), 0),
            Next::Release(delay) => (None, Some(delay), 1),
        };
        let mut values = hold_values(hold);
        values.extend([
            Value::Number(over),
            delay.map_or(Value::Number(None), Value::duration),
            Value::number(given_back),
            Value::Text(Some(ended.next.outcome().as_str().to_owned())),
            Value::Number(ended.note.status.map(i64::from)),
            // The text is a public field, so it may be longer than `Note::new` makes it.
            Value::bytes(Note::new(ended.note.text.as_str()).text.as_bytes()),
        ]);
        Step::new(self.inbox().settle.clone(), values)
    }

    /// What can be handled. What is corrupt becomes a dead letter, so that it does not come back with every
    /// lease.
    async fn usable(&self, rows: &[Row], owner: Owner) -> Result<Vec<Claimed>, StoreError> {
        let mut usable = Vec::with_capacity(rows.len());
        for row in rows {
            let hold = rows::hold(row, owner)?;
            match rows::claimed(row, hold) {
                Ok(claimed) => usable.push(claimed),
                Err(corrupt) => {
                    let reason = std::error::Error::source(&corrupt).map(ToString::to_string);
                    let note = Note::new(reason.unwrap_or_default());
                    let dead = RunEnded::new(Next::Dead, note);
                    // If this fails, the next claim after the lease does it.
                    let _ = self.run(self.settlement(&hold, &dead)).await;
                }
            }
        }
        Ok(usable)
    }
}

fn owner_value(owner: Owner) -> Value {
    Value::bytes(&owner.get().to_be_bytes())
}

pub(super) fn hold_values(hold: &Hold) -> Vec<Value> {
    vec![
        Value::number(hold.id),
        owner_value(hold.owner),
        Value::number(hold.epoch.into()),
    ]
}

fn settled(rows: &[Row]) -> Settled {
    if rows.is_empty() {
        Settled::Stale
    } else {
        Settled::Applied
    }
}

fn counted(rows: &[Row]) -> Result<u64, StoreError> {
    rows::count(only(rows)?, 0)
}

fn only(rows: &[Row]) -> Result<&Row, StoreError> {
    rows.first()
        .ok_or_else(|| error::corrupt("a count returned no row"))
}
