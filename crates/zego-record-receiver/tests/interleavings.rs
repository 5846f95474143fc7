//! Memory store and memory guard under real threads: of all who want a key at once, one wins.
//!
//! `loom.rs` tries every order in which three threads can come to a lock; here are more of them, on more
//! keys, and the receiver, whose tasks loom cannot see.
//!
//! `INTERLEAVING_ROUNDS` sets another number of rounds.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/keys.rs"]
mod keys;

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use common::{Runs, builder, receive_counted, request};
use keys::{check, claim, now};
use zego_record_core::Verdict;
use zego_record_receiver::{
    Binding, ClaimOutcome, DeliveryStore, MemoryGuard, MemoryStore, ReplayGuard, Settlement,
};

const KEYS: usize = 300;
const TASKS: usize = 32;

fn rounds(default: usize) -> usize {
    std::env::var("INTERLEAVING_ROUNDS").map_or(default, |rounds| rounds.parse().unwrap())
}

/// Prints what was run: `cargo test` captures only what macros print.
fn figures(test: &str, rounds: usize) {
    let _ = writeln!(
        std::io::stderr(),
        "figures: races for {test}: {rounds} rounds of {KEYS} keys, {TASKS} tasks each"
    );
}

#[test]
fn a_delivery_has_one_owner_in_each_of_its_runs() {
    for round in 0..rounds(20) {
        let store = MemoryStore::new();
        // The first run fails, and the second is won anew.
        for epoch in 1..=2 {
            let winners = race(|task, key| {
                let claim = claim(key, task);
                match now(store.claim(&claim)).unwrap() {
                    ClaimOutcome::Run(lease) => {
                        assert_eq!(lease.epoch, epoch);
                        true
                    }
                    ClaimOutcome::Busy => false,
                    other => panic!("{other:?}"),
                }
            });
            for (key, winners) in winners.iter().enumerate() {
                assert_eq!(winners.len(), 1, "round {round}, key {key}, run {epoch}");
                let claim = claim(key, winners[0]);
                now(store.settle(&claim, Settlement::Failed)).unwrap();
            }
        }
    }
    figures("owners", rounds(20) * 2);
}

#[test]
fn a_signature_has_one_first_content() {
    for round in 0..rounds(20) {
        let guard = MemoryGuard::new();
        let winners = race(|task, key| {
            let binding = now(guard.bind(&check(key, task))).unwrap();
            assert_ne!(binding, Binding::Same, "every task has content of its own");
            binding == Binding::First
        });
        for (key, winners) in winners.iter().enumerate() {
            assert_eq!(winners.len(), 1, "round {round}, key {key}");
            let bound = check(key, winners[0]);
            assert_eq!(guard.bind_now(&bound), Binding::Same, "the first is bound");
        }
    }
    figures("first contents", rounds(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_runs_once_of_all_tasks_that_receive_the_same() {
    for round in 0..rounds(1) {
        let (receiver, runs) = (
            builder().max_in_flight(KEYS * TASKS).build().unwrap(),
            Runs::default(),
        );
        let requests: Arc<Vec<_>> =
            Arc::new((0..KEYS).map(|key| request(&format!("k{key}"))).collect());
        let start = Arc::new(tokio::sync::Barrier::new(TASKS));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (receiver, runs) = (receiver.clone(), runs.clone());
                let (requests, start) = (Arc::clone(&requests), Arc::clone(&start));
                tokio::spawn(async move {
                    start.wait().await;
                    let mut handled = 0;
                    for request in &*requests {
                        match receive_counted(&receiver, request, &runs).await {
                            Verdict::Handled => handled += 1,
                            Verdict::InProgress | Verdict::Duplicate => {}
                            other => panic!("{other}"),
                        }
                    }
                    handled
                })
            })
            .collect();
        let mut handled = 0;
        for task in tasks {
            handled += task.await.unwrap();
        }
        assert_eq!((handled, runs.get()), (KEYS, KEYS), "round {round}");
        assert_eq!(receiver.counters().in_flight, 0);
    }
    figures("handlers", rounds(1));
}

/// Lets all tasks try all keys in the same order at the same time; who has won which.
fn race(wins: impl Fn(usize, usize) -> bool + Sync) -> Vec<Vec<usize>> {
    let start = Barrier::new(TASKS);
    // Whoever comes to a key first waits for a second, so that two are as close as threads can be.
    let begun: Vec<AtomicUsize> = (0..KEYS).map(|_| AtomicUsize::new(0)).collect();
    let won: Vec<Vec<usize>> = thread::scope(|scope| {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (start, begun, wins) = (&start, &begun, &wins);
                scope.spawn(move || {
                    start.wait();
                    let mut won = Vec::new();
                    for (key, begun) in begun.iter().enumerate() {
                        begun.fetch_add(1, Ordering::AcqRel);
                        let mut spins = 0;
                        while begun.load(Ordering::Acquire) < 2 {
                            // The second may have no core to run on.
                            spins += 1;
                            if spins < 20_000 {
                                std::hint::spin_loop();
                            } else {
                                thread::yield_now();
                            }
                        }
                        if wins(task, key) {
                            won.push(key);
                        }
                    }
                    won
                })
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    let mut winners = vec![Vec::new(); KEYS];
    for (task, keys) in won.into_iter().enumerate() {
        keys.into_iter().for_each(|key| winners[key].push(task));
    }
    winners
}
