//! Memory store and memory guard against references that are too simple to be wrong, under random
//! sequences of what receivers ask of them, while the clock goes on.
//!
//! `REFERENCE_CASES` sets another number of sequences than 10,000.

#![allow(clippy::unwrap_used)]

mod guard;
mod store;

use std::io::Write as _;

use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 10_000;
const STEPS: usize = 50;

fn cases() -> u32 {
    std::env::var("REFERENCE_CASES").map_or(CASES, |cases| cases.parse().unwrap())
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: cases(),
        failure_persistence: None,
        ..Config::default()
    })
}

/// Prints what was run: `cargo test` captures only what macros print.
fn figures(test: &str) {
    let _ = writeln!(
        std::io::stderr(),
        "figures: {test}: {} sequences of {STEPS} steps",
        cases()
    );
}
