//! The receiver on simulated time against a fake ZEGOCLOUD, with random faults wherever there can be
//! one: on the way there and back, in the handler, in the store and on the line to it, in the process
//! and in its clock. `truth.rs` has what must hold in spite of them.
//!
//! Everything that happens follows from the seed. `SIMULATION_SEEDS=200000` runs that many seeds instead
//! of 10,000, from `SIMULATION_FROM=10000` on if set; `SIMULATION_SQLITE_SEEDS` is how many run with
//! SQLite, where it is 300. `SIMULATION_SEED=4711` runs that one alone and prints its history, as is done
//! for every seed that fails.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod database;
mod faults;
mod line;
mod process;
mod totals;
mod truth;
mod world;
mod zegocloud;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use totals::Totals;
use world::Remembered;
use zego_record_tests::figures;

const SEEDS: u64 = 10_000;
/// Each has a file of its own, and each step syncs it.
const SEEDS_WITH_SQLITE: u64 = 300;

#[test]
fn a_callback_is_lost_only_where_all_attempts_were_made_impossible() {
    run(Remembered::InMemory, SEEDS);
}

#[test]
fn a_callback_is_lost_only_where_all_attempts_were_made_impossible_with_sqlite() {
    run(Remembered::InSqlite, SEEDS_WITH_SQLITE);
}

fn run(remembered: Remembered, seeds: u64) {
    if let Some(seed) = variable("SIMULATION_SEED") {
        let (result, _) = world::simulate(seed, remembered, true);
        println!("seed {seed}: {result:?}");
        result.unwrap();
        return;
    }
    let from = variable("SIMULATION_FROM").unwrap_or(0);
    let seeds = variable(match remembered {
        Remembered::InMemory => "SIMULATION_SEEDS",
        Remembered::InSqlite => "SIMULATION_SQLITE_SEEDS",
    })
    .unwrap_or(seeds);
    let (begin, next, totals) = (Instant::now(), AtomicU64::new(from), Mutex::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return;
            }
            let (result, counted) = world::simulate(seed, remembered, false);
            if result.is_err() {
                let (result, _) = world::simulate(seed, remembered, true);
                panic!("SIMULATION_SEED={seed}, {remembered:?}: {result:?}");
            }
            Totals::add(&mut totals.lock().unwrap(), &counted);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let totals = totals.into_inner().unwrap();
    figures(
        "simulation",
        format_args!(
            "{remembered:?}, seeds {from} to {}, {:.1?}:\n{totals}",
            from + seeds - 1,
            begin.elapsed()
        ),
    );
    if seeds >= 1_000 {
        totals.assert_nothing_is_missing();
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|number| number.parse().unwrap())
}
