//! Memory store and memory guard against references that are too simple to be wrong, under random
//! sequences of what receivers ask of them, while the clock goes on.
//!
//! `REFERENCE_CASES` sets another number of sequences than 10,000.

#![allow(clippy::unwrap_used)]

#[path = "reference/guard.rs"]
mod guard;
#[path = "reference/store.rs"]
mod store;

use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 10_000;
const STEPS: usize = 50;

fn runner() -> TestRunner {
    let cases = std::env::var("REFERENCE_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}
