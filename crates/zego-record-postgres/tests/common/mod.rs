//! A store in a schema of its own, on the server that the tests of a binary share.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses its own part"
)]

use std::time::Duration;

use tokio_postgres::{Client, NoTls};
use zego_record_core::{DeliveryKey, RecordCallback};
use zego_record_inbox::{ClaimDue, Claimed, Hold, InboxStore, Next, Note, RunEnded};
use zego_record_postgres::PostgresStore;
use zego_record_receiver::{Accept, Accepted, Claim, NewCallback, Owner, Settled};
use zego_record_test_servers::Postgres;
use zego_record_testkit::CallbackBuilder;

/// Longer than any test, on a machine under any load.
pub(crate) const LONG: Duration = Duration::from_secs(3_600);

pub(crate) async fn handles<const N: usize>(server: &Postgres) -> [PostgresStore; N] {
    let schema = server.new_schema();
    let mut handles = Vec::new();
    for _ in 0..N {
        let builder = PostgresStore::builder().schema(&schema).max_connections(4);
        handles.push(builder.connect(&server.url()).await.unwrap());
    }
    handles.try_into().unwrap()
}

pub(crate) fn key(number: u64) -> DeliveryKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    DeliveryKey::from_bytes(bytes)
}

pub(crate) fn owner() -> Owner {
    Owner::new(fastrand::u128(..))
}

pub(crate) fn claim(number: u64) -> Claim {
    Claim::new(key(number), format!("file {number}"), owner()).with_lease(LONG)
}

/// A connection that the store knows nothing of.
pub(crate) async fn connect(server: &Postgres) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) fn recording(name: impl std::fmt::Display) -> RecordCallback {
    CallbackBuilder::new()
        .field("stream_alias", format!("stream {name}"))
        .field("replay_url", format!("https://vod.example.com/{name}"))
        .vendor(None)
        .build()
}

pub(crate) fn callback(name: impl std::fmt::Display) -> NewCallback {
    NewCallback::new(&recording(name))
}

pub(crate) async fn accept(store: &PostgresStore, name: impl std::fmt::Display) -> NewCallback {
    let callback = callback(name);
    let accepted = store.accept(&callback).await.unwrap();
    assert_eq!(accepted, Accepted::New);
    callback
}

pub(crate) async fn claim_due(store: &PostgresStore, lease: Duration, limit: u32) -> Vec<Claimed> {
    let claim = ClaimDue::new(owner(), lease, limit);
    store.claim_due(&claim).await.unwrap()
}

pub(crate) async fn settle(store: &PostgresStore, hold: &Hold, next: Next) -> Settled {
    let ended = RunEnded::new(next, Note::new("noted"));
    InboxStore::settle(store, hold, &ended).await.unwrap()
}
