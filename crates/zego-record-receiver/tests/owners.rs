//! Owners of claims: no two are equal, in no process.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use std::collections::HashSet;
use std::sync::Arc;

use common::{Runs, builder, receive_counted, request};
use faulty::Faulty;

/// What this cannot show is a fork: a child inherits all memory of its parent, and a test would need
/// `unsafe` code to make one. An owner that is made of what a process remembers, such as the keys of a
/// hasher, passes here and repeats there; so that is looked for in the source.
#[tokio::test]
async fn no_owner_claims_twice() {
    let store = Faulty::new();
    let build = || builder().store(Arc::clone(&store)).build().unwrap();
    let receivers = [build(), build()];
    for number in 0..500 {
        for receiver in &receivers {
            let callback = request(&format!("lesson-{number}"));
            receive_counted(receiver, &callback, &Runs::default()).await;
        }
    }
    let owners = store.owners();
    assert_eq!(owners.len(), 1_000);
    assert_eq!(owners.iter().collect::<HashSet<_>>().len(), 1_000);
    // Every bit is random: of 1,000 owners, about half have it.
    for bit in 0..128 {
        let set = owners.iter().filter(|owner| *owner >> bit & 1 == 1).count();
        assert!((300..=700).contains(&set), "bit {bit}: {set} of 1,000");
    }
}

#[test]
fn owners_are_made_of_nothing_that_a_forked_child_inherits() {
    let source = include_str!("../src/store/owner.rs");
    for state in [
        "static",
        "thread_local",
        "RandomState",
        "Once",
        "Lazy",
        "Atomic",
    ] {
        assert!(!source.contains(state), "owner.rs keeps {state}");
    }
    assert!(source.contains("getrandom::fill"));
}
