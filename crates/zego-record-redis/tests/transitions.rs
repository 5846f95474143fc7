//! The scripts against the pure transitions: random histories must give the same results.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use common::{handles, key};
use zego_record_receiver::{
    Binding, Claim, DeliveryRecord, DeliveryStore, Owner, ReplayCheck, ReplayGuard, Settlement,
};
use zego_record_test_servers::Redis;

const LONG: Duration = Duration::from_secs(3_600);

/// A lease or a retention is either over with the next step or lasts for the whole history, so that the
/// two clocks need not agree.
#[tokio::test(flavor = "multi_thread")]
async fn random_histories_equal_the_pure_transitions() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let [store] = handles(server).await;
    let mut forgotten = 0;
    for history in 0..150_u64 {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut records = HashMap::<u64, DeliveryRecord>::new();
        for step in 1..=25_u64 {
            let now = Duration::from_millis(step);
            let number = history * 3 + random.u64(..3);
            let duration =
                |random: &mut fastrand::Rng| if random.bool() { LONG } else { Duration::ZERO };
            let owner = Owner::new(u128::from(random.u8(..3)));
            let claim = Claim::new(key(number), format!("file {history}"), owner)
                .with_lease(duration(&mut random))
                .with_retention(duration(&mut random));
            // Redis removes a record as soon as it expires.
            let expired = records.len();
            records.retain(|_, record| !record.is_forgotten(now));
            forgotten += expired - records.len();
            let record = records.get(&number).copied();
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
    assert!(forgotten > 0, "no history met a record that had expired");
}

#[tokio::test]
async fn a_signature_is_bound_to_one_content_until_it_expires() {
    let Some(server) = Redis::shared() else {
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
