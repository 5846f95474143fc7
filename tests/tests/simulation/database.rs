//! SQLite on simulated time.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use zego_record_receiver::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, Settled, Settlement, StoreError,
};
use zego_record_sqlite::SqliteStore;

/// A file of its own. A step blocks the runtime until it is done: if the runtime were idle meanwhile,
/// simulated time would pass.
#[derive(Debug)]
pub(crate) struct Database {
    store: SqliteStore,
    directory: PathBuf,
    begin: Instant,
    /// Milliseconds since the simulation began, for the store's own thread.
    now: Arc<AtomicU64>,
}

impl Database {
    pub(crate) fn new(seed: u64) -> Self {
        let name = format!("zego-record-simulation-{}-{seed}", std::process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        let now = Arc::<AtomicU64>::default();
        let clock = Arc::clone(&now);
        let builder = SqliteStore::builder(directory.join("store.db"))
            .timeout(Duration::from_secs(30))
            .clock(move || {
                let passed = Duration::from_millis(clock.load(Ordering::SeqCst));
                SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_000) + passed
            });
        Self {
            store: builder.open().unwrap(),
            directory,
            begin: Instant::now(),
            now,
        }
    }

    fn step<T>(&self, step: impl Future<Output = T>) -> T {
        let passed = u64::try_from(self.begin.elapsed().as_millis()).unwrap();
        self.now.store(passed, Ordering::SeqCst);
        block_on(step)
    }
}

impl DeliveryStore for Database {
    fn claim<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<ClaimOutcome, StoreError>> {
        Box::pin(async { self.step(self.store.claim(claim)) })
    }

    fn settle<'a>(
        &'a self,
        claim: &'a Claim,
        settlement: Settlement,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        Box::pin(async move { self.step(self.store.settle(claim, settlement)) })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { self.step(DeliveryStore::purge(&self.store, limit)) })
    }

    fn default_retention(&self) -> Duration {
        self.store.default_retention()
    }

    fn evictions(&self) -> u64 {
        DeliveryStore::evictions(&self.store)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Tokio's own cannot be nested.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Arc::new(Unpark(thread::current())).into();
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        thread::park();
    }
}
