//! The suites of the test kit, where each request goes to another of several handles on one file.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Directory, TestClock};
use zego_record_receiver::{
    Binding, BoxFuture, Claim, ClaimOutcome, DeliveryStore, ReplayCheck, ReplayGuard, Settled,
    Settlement, StoreError,
};
use zego_record_sqlite::SqliteStore;
use zego_record_testkit::stores::{assert_guard_conformant, assert_store_conformant};

#[tokio::test(flavor = "multi_thread")]
async fn conforms_with_four_handles() {
    let (directory, clock) = (Directory::new(), TestClock::new());
    let handles = Handles::new(|| clock.open(&directory.database()));
    let pass = async |passed: Duration| clock.advance(passed);
    assert_store_conformant(Arc::clone(&handles), pass).await;
    assert_guard_conformant(handles).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms_on_the_time_of_day() {
    let directory = Directory::new();
    let store = Arc::new(directory.open());
    assert_store_conformant(store, tokio::time::sleep).await;
}

#[derive(Debug)]
struct Handles {
    stores: Vec<SqliteStore>,
    next: AtomicUsize,
}

impl Handles {
    fn new(open: impl Fn() -> SqliteStore) -> Arc<Self> {
        Arc::new(Self {
            stores: (0..4).map(|_| open()).collect(),
            next: AtomicUsize::new(0),
        })
    }

    fn next(&self) -> &SqliteStore {
        &self.stores[self.next.fetch_add(1, Ordering::Relaxed) % self.stores.len()]
    }
}

impl DeliveryStore for Handles {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        self.next().claim(claim)
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        self.next().settle(claim, settlement)
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        DeliveryStore::purge(self.next(), limit)
    }

    fn default_retention(&self) -> Duration {
        self.next().default_retention()
    }

    fn evictions(&self) -> u64 {
        DeliveryStore::evictions(self.next())
    }
}

impl ReplayGuard for Handles {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        self.next().bind(check)
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        ReplayGuard::purge(self.next(), limit)
    }

    fn evictions(&self) -> u64 {
        ReplayGuard::evictions(self.next())
    }
}
