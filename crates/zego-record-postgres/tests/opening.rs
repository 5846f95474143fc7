//! Opening a store: what is created, what is rejected, and what an error says.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::error::Error as _;
use std::time::Duration;

use common::{accept, claim, connect, handles, recording};
use tokio::task::JoinSet;
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};
use zego_record_core::RecordCallback;
use zego_record_inbox::InboxStore;
use zego_record_postgres::{PostgresStore, sql};
use zego_record_receiver::{
    Accept, Accepted, DeliveryStore, NewCallback, StoreError, StoreErrorKind,
};
use zego_record_test_servers::Postgres;

async fn run(server: &Postgres, script: &str) {
    let client = connect(server).await;
    client.batch_execute(script).await.unwrap();
}

fn assert_says(error: &StoreError, kind: StoreErrorKind, advice: &str) {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    assert_eq!(error.kind(), kind, "{source}");
    assert!(source.contains(advice), "{source}");
    assert!(
        !format!("{error:?}").contains("hunter2"),
        "a password is printed"
    );
}

#[tokio::test]
async fn a_timeout_that_no_clock_can_add_is_cut() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let builder = PostgresStore::builder().schema(server.new_schema());
    let opened = builder.timeout(Duration::MAX).connect(&server.url()).await;
    assert!(opened.unwrap().claim(&claim(1)).await.is_ok());
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_needs_its_feature() {
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("postgres://app:hunter2@127.0.0.1/app?sslmode={mode}");
        let error = PostgresStore::connect(&url).await.unwrap_err();
        assert_says(&error, StoreErrorKind::Config, "the URL requires TLS");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_programs_may_migrate_at_once_and_a_newer_schema_is_accepted() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let mut opening = JoinSet::new();
    for _ in 0..12 {
        let builder = PostgresStore::builder().schema(&schema).max_connections(1);
        opening.spawn(async move { builder.connect(&server.url()).await.unwrap() });
    }
    let stores = opening.join_all().await;
    assert!(stores[0].warnings().is_empty());
    run(
        server,
        &format!("UPDATE {schema}.meta SET version = 7, oldest_program = 1"),
    )
    .await;
    let builder = PostgresStore::builder().schema(&schema);
    builder.clone().connect(&server.url()).await.unwrap();
    run(
        server,
        &format!("UPDATE {schema}.meta SET oldest_program = 3"),
    )
    .await;
    let error = builder.connect(&server.url()).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "version 7");
}

/// A program of version 1 may go on meanwhile, and afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_version_1_get_an_inbox_and_keep_what_they_have() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let version_1 = sql::in_schema(include_str!("schema_1.sql"), &schema);
    run(server, &version_1).await;
    let statement = |text| sql::in_schema(text, &schema);
    let mut client = connect(server).await;
    let recordings = ["done", "at work"].map(recording);
    let settle_done = async |transaction: &Transaction<'_>, recording: &RecordCallback| {
        let key = recording.delivery_key();
        let event = sql::event_hash(&recording.event_id());
        let retention = 3_600_000_000_i64;
        let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
            (&key.as_bytes().as_slice(), Type::BYTEA),
            (&event.as_slice(), Type::BYTEA),
            (&retention, Type::INT8),
        ];
        let done = statement(sql::RECORD);
        transaction.query_typed(&done, &parameters).await.unwrap();
    };
    let transaction = client.transaction().await.unwrap();
    settle_done(&transaction, &recordings[0]).await;
    transaction.commit().await.unwrap();

    // Its locks stop nobody.
    let transaction = client.transaction().await.unwrap();
    settle_done(&transaction, &recordings[1]).await;
    let mut opening = JoinSet::new();
    for _ in 0..6 {
        let builder = PostgresStore::builder().schema(&schema).max_connections(1);
        opening.spawn(async move { builder.connect(&server.url()).await.unwrap() });
    }
    let stores = opening.join_all().await;
    transaction.commit().await.unwrap();
    let row = client.query_one(&statement(sql::VERSION), &[]).await;
    let row = row.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (2, 1));
    for recording in &recordings {
        let known = NewCallback::new(recording);
        let accepted = stores[0].accept(&known).await.unwrap();
        assert_eq!(accepted, Accepted::Known);
    }
    accept(&stores[0], "new").await;
    // A program of version 1 finds its tables as they were.
    run(server, &version_1).await;
    stores[1].claim(&claim(1)).await.unwrap();
    let waiting = stores[2].stats().await.unwrap().waiting;
    assert_eq!(waiting, 1);
}

#[tokio::test]
async fn tables_made_by_hand_fit_and_absent_ones_are_named() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let schema = server.new_schema();
    let builder = PostgresStore::builder().schema(&schema).without_migration();
    let error = builder.clone().connect(&server.url()).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "a table is missing");
    run(server, &sql::in_schema(sql::SCHEMA, &schema)).await;
    let store = builder.connect(&server.url()).await.unwrap();
    store.claim(&claim(1)).await.unwrap();
    run(server, &format!("DROP TABLE {schema}.delivery")).await;
    let error = store.claim(&claim(2)).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "a table is missing");
}

#[tokio::test]
async fn an_error_says_what_to_do_and_never_a_password() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let wrong = server.url_with_password("hunter2");
    let error = PostgresStore::connect(&wrong).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "check user, password");
    let malformed = "postgres://app:hunter2@127.0.0.1:port/app";
    let error = PostgresStore::connect(malformed).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "the URL is not understood");
    let quoted = PostgresStore::builder().schema("a; DROP TABLE b");
    let error = quoted.connect(&server.url()).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "the schema must be");
    let error = PostgresStore::connect("postgres://app:hunter2@127.0.0.1:1/app")
        .await
        .unwrap_err();
    assert_says(
        &error,
        StoreErrorKind::Unavailable,
        "there is no connection",
    );
}

#[tokio::test]
async fn a_read_only_server_is_named_and_unsafe_settings_are_warned_of() {
    let Some(server) = Postgres::start(&["fsync=off", "full_page_writes=off"]) else {
        return;
    };
    let [store] = handles(&server).await;
    assert_eq!(store.warnings().len(), 2, "{:?}", store.warnings());
    run(
        &server,
        "ALTER SYSTEM SET default_transaction_read_only = on; ",
    )
    .await;
    run(&server, "SELECT pg_reload_conf()").await;
    // The setting arrives at each connection by a signal.
    let error = loop {
        if let Err(error) = store.claim(&claim(1)).await {
            break error;
        }
    };
    assert_says(&error, StoreErrorKind::Config, "the server is read-only");
}

#[tokio::test]
async fn a_standby_is_rejected_and_named_when_the_server_becomes_one() {
    let Some(server) = Postgres::start(&[]) else {
        return;
    };
    let [store] = handles(&server).await;
    store.claim(&claim(1)).await.unwrap();
    server.become_standby();
    let error = PostgresStore::connect(&server.url()).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "standby");
    // Connections from before are cut, and replaced.
    let error = loop {
        let error = store.claim(&claim(2)).await.unwrap_err();
        if error.kind() != StoreErrorKind::Unavailable {
            break error;
        }
    };
    assert_says(&error, StoreErrorKind::Config, "the server is read-only");
}
