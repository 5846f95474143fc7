//! Every mount under faults and floods: nothing leaks, nothing grows, nothing is left unsettled.
//!
//! Environment variables set other numbers: `FAULTS_DISCONNECTS` (1,000 for each mount), `FAULTS_FLOOD`
//! (600 requests of 8 KiB for each mount) and `FAULTS_SIGNED` (60,000 signed requests, in process; a
//! million take less than a minute even unoptimised).

#![allow(clippy::unwrap_used)]

mod disconnects;
mod floods;
mod own_process;
mod shutdown;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Builder;
use zego_record_core::Verdict;
use zego_record_receiver::{MemoryGuard, MemoryStore, ReceiverBuilder};
use zego_record_testkit::SignedRequest;
use zego_record_tests::{Mount, Running, receiver, send};

/// A mount whose memories can be looked into.
struct Open {
    running: Running,
    store: Arc<MemoryStore>,
    guard: Arc<MemoryGuard>,
}

impl Open {
    fn start(mount: &'static Mount) -> Self {
        Self::with(mount, |builder| builder)
    }

    fn with(
        mount: &'static Mount,
        configure: impl FnOnce(ReceiverBuilder) -> ReceiverBuilder,
    ) -> Self {
        let (store, guard) = (Arc::new(MemoryStore::new()), Arc::new(MemoryGuard::new()));
        let builder = receiver()
            .body_deadline(Duration::from_millis(300))
            .store(Arc::clone(&store))
            .guard(Arc::clone(&guard));
        Self {
            running: mount.start(configure(builder).build().unwrap()),
            store,
            guard,
        }
    }

    async fn post(&self, request: &SignedRequest) -> u16 {
        let response = send(self.running.address, request.clone().into_http()).await;
        response.status().as_u16()
    }

    async fn nobody_in_flight(&self) {
        until("no handler is in flight", || {
            self.running.receiver.counters().in_flight == 0
        })
        .await;
    }

    fn answered(&self, verdict: Verdict) -> u64 {
        self.running.receiver.counters().answered(verdict)
    }
}

/// Runs a test while no other runs: what the process holds is measured. A runtime holds descriptors, so
/// it has none while it waits for its turn.
fn alone(test: impl Future<Output = ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

/// Runs a test on a mount while no other test runs.
fn on_mount<F: Future<Output = ()>>(mount: &'static Mount, test: impl FnOnce(&'static Mount) -> F) {
    alone(async { test(mount).await });
}

/// Waits for something that must happen.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let patience = Duration::from_secs(20);
    assert!(
        tokio::time::timeout(patience, wait).await.is_ok(),
        "not within {patience:?}: {what}"
    );
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |number| number.parse().unwrap())
}

fn bytes_of(request: &SignedRequest) -> Vec<u8> {
    let body = request.body();
    let mut bytes = format!(
        "POST / HTTP/1.1\r\nHost: receiver.example\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend(body);
    bytes
}
