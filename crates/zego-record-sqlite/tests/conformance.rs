//! The suites of the test kit, over handles that share nothing but a file.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Directory, TestClock};
use zego_record_testkit::inboxes::assert_inbox_conformant;
use zego_record_testkit::stores::{
    assert_guard_conformant_across_handles, assert_store_conformant_across_handles,
};

#[tokio::test(flavor = "multi_thread")]
async fn store_conforms_across_handles() {
    let (directory, clock) = (Directory::new(), TestClock::new());
    let open = async || Arc::new(clock.open(&directory.database()));
    let pass = async |passed: Duration| clock.advance(passed);
    assert_store_conformant_across_handles(open, pass).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guard_conforms_across_handles() {
    let (directory, clock) = (Directory::new(), TestClock::new());
    let open = async || Arc::new(clock.open(&directory.database()));
    let pass = async |passed: Duration| clock.advance(passed);
    assert_guard_conformant_across_handles(open, pass).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inbox_conforms_across_handles() {
    let (directory, clock) = (Directory::new(), TestClock::new());
    let open = async || Arc::new(clock.open(&directory.database()));
    let pass = async |passed: Duration| clock.advance(passed);
    assert_inbox_conformant(open, pass).await;
}
