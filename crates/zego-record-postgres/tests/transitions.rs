//! The statements against the pure transitions: random histories must give the same results.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use common::{claim, handles, key, owner};
use zego_record_receiver::{
    Binding, Claim, ClaimOutcome, DeliveryRecord, DeliveryStore, Owner, ReplayCheck, ReplayGuard,
    Settlement,
};
use zego_record_test_servers::Postgres;

const LONG: Duration = Duration::from_secs(3_600);

/// A lease or a retention is either over with the next step or lasts for the whole history, so that the
/// two clocks need not agree.
#[tokio::test(flavor = "multi_thread")]
async fn random_histories_equal_the_pure_transitions() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store] = handles(server).await;
    let mut ran_forgotten = 0;
    for history in 0..60_u64 {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut records = HashMap::<u64, DeliveryRecord>::new();
        for step in 1..=20_u64 {
            let now = Duration::from_millis(step);
            let number = history * 2 + random.u64(..2);
            let duration =
                |random: &mut fastrand::Rng| if random.bool() { LONG } else { Duration::ZERO };
            let owner = Owner::new(u128::from(random.u8(..3)));
            let claim = Claim::new(key(number), format!("file {history}"), owner)
                .with_lease(duration(&mut random))
                .with_retention(duration(&mut random));
            let record = records.get(&number).copied();
            ran_forgotten += u32::from(record.is_some_and(|record| record.is_forgotten(now)));
            let context = format!("seed {seed}, step {step}, {record:?}");
            let next = if random.u8(..5) < 2 {
                let changed = records.keys().any(|other| *other != number);
                let (next, expected) = DeliveryRecord::claim(record, &claim, changed, now);
                assert_eq!(store.claim(&claim).await.unwrap(), expected, "{context}");
                next
            } else {
                let kinds = [Settlement::Done, Settlement::Failed, Settlement::Extend];
                let settlement = kinds[random.usize(..3)];
                let (next, expected) = DeliveryRecord::settle(record, &claim, settlement, now);
                let settled = store.settle(&claim, settlement).await.unwrap();
                assert_eq!(settled, expected, "{settlement:?}, {context}");
                next
            };
            if let Some(next) = next {
                records.insert(number, next);
            }
        }
    }
    assert!(
        ran_forgotten > 0,
        "no history met a record that had expired"
    );
}

#[tokio::test]
async fn a_signature_is_bound_to_one_content_until_it_expires() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [one, other] = handles(server).await;
    let check = |content: u8, keep_for| ReplayCheck::new([7; 20], [content; 16], keep_for);
    assert_eq!(
        one.bind(&check(1, Duration::ZERO)).await.unwrap(),
        Binding::First
    );
    assert_eq!(other.bind(&check(2, LONG)).await.unwrap(), Binding::First);
    assert_eq!(one.bind(&check(2, LONG)).await.unwrap(), Binding::Same);
    assert_eq!(one.bind(&check(1, LONG)).await.unwrap(), Binding::Conflict);
    assert_eq!(
        other.bind(&check(2, Duration::ZERO)).await.unwrap(),
        Binding::Same
    );
    assert_eq!(
        other.bind(&check(1, LONG)).await.unwrap(),
        Binding::Conflict
    );
}

#[tokio::test]
async fn purge_removes_what_has_expired_in_pages_and_nothing_else() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store] = handles(server).await;
    for number in 0..5 {
        let claim = claim(number).with_retention(Duration::ZERO);
        store.settle(&claim, Settlement::Done).await.unwrap();
        let check = ReplayCheck::new([u8::try_from(number).unwrap(); 20], [0; 16], Duration::ZERO);
        store.bind(&check).await.unwrap();
    }
    let running = claim(10).with_retention(Duration::ZERO);
    store.claim(&running).await.unwrap();
    let done = claim(11);
    store.settle(&done, Settlement::Done).await.unwrap();
    let kept = ReplayCheck::new([9; 20], [0; 16], LONG);
    store.bind(&kept).await.unwrap();

    let mut deliveries = Vec::new();
    let mut bindings = Vec::new();
    for _ in 0..3 {
        deliveries.push(DeliveryStore::purge(&store, 3).await.unwrap());
        bindings.push(ReplayGuard::purge(&store, 3).await.unwrap());
    }
    assert_eq!((deliveries, bindings), (vec![3, 2, 0], vec![3, 2, 0]));
    let other = claim(10);
    assert_eq!(store.claim(&other).await.unwrap(), ClaimOutcome::Busy);
    assert_eq!(store.claim(&done).await.unwrap(), ClaimOutcome::Done);
    assert_eq!(store.bind(&kept).await.unwrap(), Binding::Same);
}

#[tokio::test]
async fn an_event_id_may_hold_anything() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let [store] = handles(server).await;
    for (number, event) in ["a\0b".to_owned(), "x".repeat(60 * 1024), String::new()]
        .into_iter()
        .enumerate()
    {
        let numbers = [2 * number as u64, 2 * number as u64 + 1];
        for (number, changed) in numbers.into_iter().zip([false, true]) {
            let claim = Claim::new(key(number), event.clone(), owner());
            let ClaimOutcome::Run(lease) = store.claim(&claim).await.unwrap() else {
                panic!("not run")
            };
            assert_eq!(lease.changed, changed);
        }
    }
}
