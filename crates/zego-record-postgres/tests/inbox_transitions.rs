//! The statements of the inbox against the pure transitions: random histories must give the same results.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::time::Duration;

use common::{LONG, accept, handles, owner, settle};
use zego_record_inbox::{ClaimDue, EntryState, Filter, Hold, InboxStore, Next, WorkRecord};
use zego_record_receiver::{Owner, Settled};
use zego_record_test_servers::Postgres;

/// A lease or a delay is either over with the next step or lasts for the whole history, so that the two
/// clocks need not agree.
#[tokio::test(flavor = "multi_thread")]
async fn random_histories_equal_the_pure_transitions() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store] = handles(server).await;
    let owners = [owner(), owner()];
    let mut seen = std::collections::HashSet::new();
    for history in 0..25_u64 {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let key = accept(&store, history).await.key;
        let only = Filter::key(&key);
        let id = store.get(&key).await.unwrap().unwrap().entry.id;
        let mut record = WorkRecord::new(Duration::ZERO);
        for step in 1..=25_u64 {
            let now = Duration::from_millis(step);
            let context = format!("seed {seed}, step {step}, {record:?}");
            let later = if random.bool() { LONG } else { Duration::ZERO };
            let owner = owners[random.usize(..2)];
            let epoch = record.epoch.saturating_sub(random.u32(..2));
            let hold = Hold::new(id, owner, epoch);
            match random.u8(..9) {
                0..=2 => {
                    let claim = ClaimDue::new(owner, later, 1);
                    let claimed = store.claim_due(&claim).await.unwrap();
                    let found = claimed.first().map(|run| (run.hold, run.attempt));
                    let next = record.claim(owner, later, now);
                    let expected = next.map(|next| {
                        let hold = Hold::new(id, owner, next.epoch);
                        (hold, next.attempts)
                    });
                    assert_eq!(found, expected, "{context}");
                    record = next.unwrap_or(record);
                }
                3..=5 => {
                    let next = any_next(&mut random, later);
                    let settled = settle(&store, &hold, next).await;
                    let (after, expected) = record.settle(&hold, next, now);
                    assert_eq!(settled, expected, "{next:?} by {hold:?}, {context}");
                    record = after;
                }
                6 => {
                    let settled = store.extend(&hold, later).await.unwrap();
                    let (after, expected) = record.extend(&hold, later, now);
                    assert_eq!(settled, expected, "extend by {hold:?}, {context}");
                    record = after;
                }
                7 => {
                    let redelivered = store.redeliver(&only, 9).await.unwrap();
                    let next = record.redeliver(now);
                    assert_eq!(redelivered, next.into_iter().count() as u64, "{context}");
                    record = next.unwrap_or(record);
                }
                _ => {
                    let discarded = store.discard(&only, "why", 9).await.unwrap();
                    let next = record.discard(now);
                    assert_eq!(discarded, next.into_iter().count() as u64, "{context}");
                    record = next.unwrap_or(record);
                }
            }
            seen.insert(record.state());
            let entry = store.get(&key).await.unwrap().unwrap().entry;
            let found = (entry.state, entry.attempts, entry.due_at.is_some());
            let expected = (record.state(), record.attempts, record.due_at.is_some());
            assert_eq!(found, expected, "after {context}: {record:?}");
        }
        let prunable = record.is_prunable(Duration::ZERO, LONG);
        let pruned = store.prune(Duration::ZERO, 9).await.unwrap();
        assert_eq!(pruned, u64::from(prunable), "seed {seed}, {record:?}");
        // Whatever is left must not be due in the next history.
        assert_eq!(store.erase(&key).await.unwrap(), !prunable, "seed {seed}");
    }
    assert_eq!(seen.len(), EntryState::ALL.len(), "{seen:?}");
}

fn any_next(random: &mut fastrand::Rng, later: Duration) -> Next {
    match random.u8(..6) {
        0 => Next::Done,
        1 => Next::Dead,
        2 => Next::Discarded,
        3 => Next::Release(later),
        _ => Next::Retry(later),
    }
}

/// A dead letter stays, however old it is.
#[tokio::test]
async fn pruning_goes_by_pages_and_leaves_the_dead() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store] = handles(server).await;
    let nobody = Owner::new(1);
    for number in 0..9 {
        accept(&store, number).await;
        let claim = ClaimDue::new(nobody, LONG, 1);
        let claimed = store.claim_due(&claim).await.unwrap();
        let next = [Next::Done, Next::Discarded, Next::Dead][number % 3];
        let settled = settle(&store, &claimed[0].hold, next).await;
        assert_eq!(settled, Settled::Applied);
    }
    assert_eq!(store.prune(LONG, 10).await.unwrap(), 0);
    let mut pages = Vec::new();
    for _ in 0..3 {
        pages.push(store.prune(Duration::ZERO, 4).await.unwrap());
    }
    assert_eq!(pages, [4, 2, 0]);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.dead, stats.done, stats.discarded), (3, 0, 0));
}
