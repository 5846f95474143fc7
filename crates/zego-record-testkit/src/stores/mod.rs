//! What every delivery store and every replay guard must do, as a test to run against your own.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use std::sync::Arc;
//! use zego_record_receiver::{MemoryGuard, MemoryStore};
//! use zego_record_testkit::stores::{assert_guard_conformant, assert_store_conformant};
//!
//! assert_store_conformant(Arc::new(MemoryStore::new()), tokio::time::sleep).await;
//! assert_guard_conformant(Arc::new(MemoryGuard::new()), tokio::time::sleep).await;
//! # }
//! ```
//!
//! A store that several processes share should be tested through several handles. A lock inside of
//! one handle hides a store that reads first and writes later:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use zego_record_receiver::MemoryStore as MyStore;
//! use zego_record_testkit::stores::assert_store_conformant_across_handles;
//!
//! # async fn connect() -> MyStore { MyStore::new() }
//! # async fn test() {
//! // A pool of connections of its own for each handle, all to one database.
//! let open = || async { Arc::new(connect().await) };
//! assert_store_conformant_across_handles(open, tokio::time::sleep).await;
//! # }
//! ```
//!
//! Both suites use new keys in each run, so they can be run again and again against the same store. No
//! one else should purge it meanwhile, since the suites check how much is purged. A store whose clock
//! cannot be moved by hand is waited for, about 20 seconds in total.
//!
//! # What they cannot see
//!
//! * Restarts, crashes and failover: whether what was acknowledged is still there afterwards.
//! * Other processes. Handles are tasks of one process, so a lock in a `static` still hides a race.
//!   Clocks that differ between servers are not seen either.
//! * Races that are rarer than one in 25 rounds of 16 tasks.
//! * A purge that removes records and returns 0: a store that removes them by itself when they expire
//!   does that as well.
//! * Bounds: what happens when the store is full, how long a request takes, and how many are possible
//!   at once.
//! * Whether errors have the right [`StoreErrorKind`](zego_record_receiver::StoreErrorKind).

mod deliveries;
mod guards;
mod handles;

pub use deliveries::{assert_store_conformant, assert_store_conformant_across_handles};
pub use guards::{assert_guard_conformant, assert_guard_conformant_across_handles};
pub(crate) use handles::Handles;

/// How many tasks race for one key, and how often.
pub(crate) const RACERS: usize = 16;
pub(crate) const RACES: usize = 25;

/// The size of a page that no purge in these suites fills.
const PAGE: u32 = 1_000;

/// Runs all of them at once and returns their results.
pub(crate) async fn race<F>(racers: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let start = std::sync::Arc::new(tokio::sync::Barrier::new(RACERS));
    let tasks: Vec<_> = racers
        .map(|racer| {
            let start = std::sync::Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                racer.await
            })
        })
        .collect();
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(
            task.await
                .unwrap_or_else(|error| panic!("a racer failed: {error}")),
        );
    }
    results
}

/// The result of a request that must not fail.
pub(crate) fn succeeded<T, E: std::error::Error>(what: &str, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        let cause = error
            .source()
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        panic!("{what} failed: {error}{cause}")
    })
}

/// Checks what purging `expired` records, two a page, has returned.
fn assert_purged(part: &str, expired: u64, pages: &[u64]) {
    assert!(
        pages.iter().all(|page| *page <= 2),
        "purge honours its limit of 2, but: {pages:?} ({part})"
    );
    let total: u64 = pages.iter().sum();
    assert!(
        total == 0 || total == expired,
        "purge returns how many it removed, {expired} in all, but: {pages:?} ({part})"
    );
}
