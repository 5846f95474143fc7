//! Memory store and memory guard in every order in which threads can come to their locks.
//!
//! Built only with `RUSTFLAGS="--cfg loom_model"`, see CONTRIBUTING.md. The cfg is not loom's own, which
//! tokio would understand as well.

#![cfg(loom_model)]
#![allow(clippy::unwrap_used)]

#[path = "common/keys.rs"]
mod keys;

use std::io::Write;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keys::{check, claim, now};
use loom::sync::Arc;
use loom::thread;
use zego_record_receiver::{
    Binding, ClaimOutcome, DeliveryStore, MemoryGuard, MemoryStore, ReplayGuard, Settled,
    Settlement,
};

const THREADS: usize = 3;

#[test]
fn one_of_three_claims_wins() {
    explore("three claims", || {
        let store = Arc::new(MemoryStore::with_capacity(8));
        let outcomes = race({
            let store = Arc::clone(&store);
            move |owner| now(store.claim(&claim(1, owner))).unwrap()
        });
        let won = |outcome: &&ClaimOutcome| matches!(outcome, ClaimOutcome::Run(lease) if lease.epoch == 1);
        let busy = |outcome: &&ClaimOutcome| **outcome == ClaimOutcome::Busy;
        assert_eq!(outcomes.iter().filter(won).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(busy).count(), THREADS - 1);
        assert_eq!(store.len(), 1);
    });
}

#[test]
fn a_failed_run_is_followed_by_one_and_what_is_done_by_none() {
    for (settlement, runs) in [(Settlement::Failed, 1), (Settlement::Done, 0)] {
        explore("a settlement between two claims", move || {
            let store = Arc::new(MemoryStore::with_capacity(8));
            now(store.claim(&claim(1, 0))).unwrap();
            let outcomes = race({
                let store = Arc::clone(&store);
                move |thread| match thread {
                    0 => {
                        let settled = now(store.settle(&claim(1, 0), settlement)).unwrap();
                        assert_eq!(settled, Settled::Applied);
                        None
                    }
                    owner => Some(now(store.claim(&claim(1, owner))).unwrap()),
                }
            });
            let ran = |outcome: &&Option<ClaimOutcome>| matches!(outcome, Some(ClaimOutcome::Run(lease)) if lease.epoch == 2);
            // Both may have come before the settlement.
            let ran = outcomes.iter().filter(ran).count();
            assert!(ran <= runs, "{outcomes:?}");
            let after = now(store.claim(&claim(1, 9))).unwrap();
            match settlement {
                Settlement::Done => assert_eq!(after, ClaimOutcome::Done),
                _ if ran == 1 => assert_eq!(after, ClaimOutcome::Busy),
                _ => assert!(matches!(after, ClaimOutcome::Run(lease) if lease.epoch == 2)),
            }
        });
    }
}

#[test]
fn a_full_store_gives_its_last_place_to_one() {
    explore("claims for the last place", || {
        let store = Arc::new(MemoryStore::with_capacity(2));
        now(store.claim(&claim(9, 9))).unwrap();
        let outcomes = race({
            let store = Arc::clone(&store);
            move |key| now(store.claim(&claim(key, key))).unwrap()
        });
        let ran = |outcome: &&ClaimOutcome| matches!(outcome, ClaimOutcome::Run(_));
        assert_eq!(outcomes.iter().filter(ran).count(), 1, "{outcomes:?}");
        assert_eq!(store.len(), 2);
    });
}

#[test]
fn one_of_three_contents_is_bound_to_a_signature() {
    explore("three contents", || {
        let guard = Arc::new(MemoryGuard::with_capacity(8));
        let bindings = race({
            let guard = Arc::clone(&guard);
            move |content| guard.bind_now(&check(1, content))
        });
        for (content, binding) in bindings.iter().enumerate() {
            let expected = match binding {
                Binding::First => Binding::Same,
                Binding::Conflict => Binding::Conflict,
                Binding::Same => panic!("each thread has a content of its own"),
            };
            assert_eq!(guard.bind_now(&check(1, content)), expected);
        }
        let first = |binding: &&Binding| **binding == Binding::First;
        assert_eq!(bindings.iter().filter(first).count(), 1, "{bindings:?}");
    });
}

#[test]
fn a_full_guard_stays_inside_of_its_bound() {
    explore("three signatures in a guard for two", || {
        let guard = Arc::new(MemoryGuard::with_capacity(2));
        let bindings = race({
            let guard = Arc::clone(&guard);
            move |signature| guard.bind_now(&check(signature, 1))
        });
        assert_eq!(bindings, [Binding::First; THREADS]);
        assert_eq!((guard.len(), guard.evictions()), (2, 1));
    });
}

/// Runs threads, numbered from 0, that begin at the same time; what they have found.
fn race<T: 'static>(run: impl Fn(usize) -> T + 'static) -> Vec<T> {
    let run = Arc::new(run);
    let others: Vec<_> = (1..THREADS)
        .map(|number| {
            let run = Arc::clone(&run);
            thread::spawn(move || run(number))
        })
        .collect();
    let mut found = vec![run(0)];
    found.extend(others.into_iter().map(|thread| thread.join().unwrap()));
    found
}

fn explore(what: &str, model: impl Fn() + Sync + Send + 'static) {
    let orders = StdArc::new(AtomicUsize::new(0));
    let counted = StdArc::clone(&orders);
    loom::model(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let orders = orders.load(Ordering::Relaxed);
    // Not by a macro, whose output `cargo test` would hold back.
    let _ = writeln!(std::io::stderr(), "figures: loom: {what}: {orders} orders");
    assert!(orders > 1, "loom has permuted nothing");
}
