//! A store in a schema of its own, on the server that the tests of a binary share.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses its own part"
)]

use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_postgres::PostgresStore;
use zego_record_receiver::{Claim, Owner};
use zego_record_test_servers::Postgres;

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
    // Longer than any test, on a machine under any load.
    Claim::new(key(number), format!("file {number}"), owner())
        .with_lease(Duration::from_secs(3_600))
}
