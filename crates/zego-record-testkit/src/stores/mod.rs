//! What every store of deliveries and every replay guard must do, as a test to run against your own.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use std::sync::Arc;
//! use zego_record_receiver::{MemoryGuard, MemoryStore};
//! use zego_record_testkit::stores::{assert_guard_conformant, assert_store_conformant};
//!
//! assert_store_conformant(Arc::new(MemoryStore::new()), tokio::time::sleep).await;
//! assert_guard_conformant(Arc::new(MemoryGuard::new())).await;
//! # }
//! ```
//!
//! Both suites use keys of their own at each run, so they can be run against a store that is in use,
//! and again and again. A store whose time cannot be moved by hand waits for a few seconds in all.

mod deliveries;
mod guards;

pub use deliveries::assert_store_conformant;
pub use guards::assert_guard_conformant;

/// How many tasks race for one key, and how often.
const RACERS: usize = 16;
const RACES: usize = 25;

/// Runs all of them at once and gathers what they give back.
async fn race<F>(racers: impl Iterator<Item = F>) -> Vec<F::Output>
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

/// What a store has answered, where it must not fail.
fn answered<T, E: std::error::Error>(what: &str, answer: Result<T, E>) -> T {
    answer.unwrap_or_else(|error| {
        let cause = error
            .source()
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        panic!("{what} failed: {error}{cause}")
    })
}
