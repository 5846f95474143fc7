//! The inbox on simulated time: receivers, workers, a fake ZEGOCLOUD and an operator, with random faults
//! on the way there and back, on the line to the store, in handlers and in processes, and with outages
//! of minutes, hours and a day. `truth.rs` has what must hold in spite of them.
//!
//! Everything that happens follows from the seed. `INBOX_SIMULATION_SEEDS=100000` runs that many seeds
//! instead of 1,000, from `INBOX_SIMULATION_FROM=1000` on if set; `INBOX_SIMULATION_SEED=4711` runs that
//! one alone and prints its history, as is done for every seed that fails.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod faults;
mod handler;
mod line;
mod operator;
mod process;
mod steps;
mod store;
mod totals;
mod truth;
mod world;
mod zegocloud;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use totals::Totals;
use zego_record_tests::figures;

const SEEDS: u64 = 1_000;

#[test]
fn what_was_answered_with_1_is_handled() {
    if let Some(seed) = variable("INBOX_SIMULATION_SEED") {
        let simulated = world::simulate(seed, store::memory, true);
        println!("{}", simulated.history.join("\n"));
        println!("seed {seed}: {:?}", simulated.result);
        simulated.result.unwrap();
        return;
    }
    let from = variable("INBOX_SIMULATION_FROM").unwrap_or(0);
    let seeds = variable("INBOX_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let (begin, next, totals) = (Instant::now(), AtomicU64::new(from), Mutex::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return;
            }
            let simulated = world::simulate(seed, store::memory, false);
            if simulated.result.is_err() {
                let again = world::simulate(seed, store::memory, true);
                println!("{}", again.history.join("\n"));
                panic!("INBOX_SIMULATION_SEED={seed}: {:?}", simulated.result);
            }
            Totals::add(&mut totals.lock().unwrap(), &simulated.totals);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let totals = totals.into_inner().unwrap();
    let (last, elapsed) = (from + seeds - 1, begin.elapsed());
    figures(
        "inbox_simulation",
        format_args!("seeds {from} to {last}, {elapsed:.1?}:\n{totals}"),
    );
    if seeds >= SEEDS {
        totals.assert_nothing_is_missing();
    }
}

#[test]
fn everything_follows_from_the_seed() {
    for seed in 0..50 {
        let [first, second] = [(); 2].map(|()| {
            let mut history = world::simulate(seed, store::memory, true).history;
            // Tasks that are woken at one moment run in any order.
            history.sort_unstable();
            history
        });
        let mut both = first.iter().zip(&second);
        let differs = both.find(|(first, second)| first != second);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|number| number.parse().unwrap())
}
