//! The suites of the test kit across four handles, each with a pool of its own, on the server's clock.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::sync::Arc;

use zego_record_postgres::PostgresStore;
use zego_record_test_servers::Postgres;
use zego_record_testkit::inboxes::assert_inbox_conformant;
use zego_record_testkit::stores::{
    assert_guard_conformant_across_handles, assert_store_conformant_across_handles,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_store_conforms_with_four_handles() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let open = || open(server, &schema);
    assert_store_conformant_across_handles(open, tokio::time::sleep).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_conforms_with_four_handles() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let open = || open(server, &schema);
    assert_guard_conformant_across_handles(open, tokio::time::sleep).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_conforms_with_four_handles() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let open = || open(server, &schema);
    assert_inbox_conformant(open, tokio::time::sleep).await;
}

async fn open(server: &Postgres, schema: &str) -> Arc<PostgresStore> {
    let builder = PostgresStore::builder().schema(schema).max_connections(4);
    Arc::new(builder.connect(&server.url()).await.unwrap())
}
