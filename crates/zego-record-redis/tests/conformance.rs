//! The suites of the test kit across four handles, each with a connection of its own, on the server's
//! clock.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::sync::Arc;

use zego_record_test_servers::Redis;
use zego_record_testkit::stores::{
    assert_guard_conformant, assert_guard_conformant_across_handles, assert_store_conformant,
    assert_store_conformant_across_handles,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_store_conforms_with_one_handle_and_with_four() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let open = || async { Arc::new(common::open(server, &prefix).await) };
    tokio::join!(
        assert_store_conformant(open().await, tokio::time::sleep),
        assert_store_conformant_across_handles(open, tokio::time::sleep),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_conforms_with_one_handle_and_with_four() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let open = || async { Arc::new(common::open(server, &prefix).await) };
    tokio::join!(
        assert_guard_conformant(open().await, tokio::time::sleep),
        assert_guard_conformant_across_handles(open, tokio::time::sleep),
    );
}
