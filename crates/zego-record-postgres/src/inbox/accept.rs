//! The receiving side.

use zego_record_receiver::{Accept, Accepted, BoxFuture, NewCallback, StoreError};

use crate::connection::{Step, Value, owned};
use crate::store::{PostgresStore, read};
use crate::{error, sql};

impl Accept for PostgresStore {
    fn accept<'a>(
        &'a self,
        callback: &'a NewCallback,
    ) -> BoxFuture<'a, Result<Accepted, StoreError>> {
        let step = step(&self.inbox().accept, callback);
        let store = self.clone();
        // Workers are woken by the task, so that they are when the caller has gone away.
        Box::pin(owned(async move {
            let accepted = store.run(step).await?;
            let row = accepted
                .first()
                .ok_or_else(|| error::corrupt("accepting returned no row"))?;
            match read::<i16>(row, 0)? {
                1 => {
                    store.wake_workers();
                    Ok(Accepted::New)
                }
                2 => Ok(Accepted::Known),
                3 => Ok(Accepted::Running),
                _ => Ok(Accepted::Conflict),
            }
        }))
    }
}

fn step(statement: &str, callback: &NewCallback) -> Step {
    let replay = callback.replay.as_ref();
    let values = vec![
        Value::Bytes(replay.map(|check| check.signature.to_vec())),
        Value::Bytes(replay.map(|check| check.content.to_vec())),
        replay.map_or(Value::Number(None), |check| Value::duration(check.keep_for)),
        Value::bytes(callback.key.as_bytes()),
        Value::bytes(&sql::event_hash(&callback.event_id)),
        Value::bytes(callback.event_id.as_bytes()),
        Value::bytes(callback.appid.as_bytes()),
        Value::bytes(callback.stream_alias.as_bytes()),
        Value::bytes(&callback.stored),
    ];
    Step::new(statement.to_owned(), values)
}
