//! Random histories: the store against the transitions of the receiver's crate.

#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Directory, TestClock, check, key};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use zego_record_core::DeliveryKey;
use zego_record_receiver::{
    Binding, Claim, DeliveryRecord, DeliveryStore, Owner, ReplayGuard, Settlement,
};

#[derive(Clone, Debug)]
enum Step {
    /// A new owner claims.
    Claim(u32, Duration, Duration),
    /// An owner claims again, since its answer was lost.
    ClaimAgain(Index),
    Settle(Index, Settlement),
    /// Somebody settles who never claimed.
    SettleUnclaimed(u32, Settlement),
    Bind(u32, u8),
    Pass(Duration),
    Purge(u32),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let settlement = || select(&[Settlement::Done, Settlement::Failed, Settlement::Extend][..]);
    let time = |milliseconds: &'static [u64]| select(milliseconds).prop_map(Duration::from_millis);
    let lease = time(&[0, 1, 10_000, u64::MAX]);
    let retention = time(&[0, 1, 30_000, 700_000, u64::MAX]);
    let step = prop_oneof![
        8 => (0_u32..6, lease, retention)
            .prop_map(|(delivery, lease, retention)| Step::Claim(delivery, lease, retention)),
        2 => any::<Index>().prop_map(Step::ClaimAgain),
        6 => (any::<Index>(), settlement()).prop_map(|(owner, by)| Step::Settle(owner, by)),
        1 => (0_u32..6, settlement()).prop_map(|(delivery, by)| Step::SettleUnclaimed(delivery, by)),
        4 => (0_u32..4, 0_u8..2).prop_map(|(signature, content)| Step::Bind(signature, content)),
        4 => time(&[1, 9_999, 10_000, 30_000, 340_000, 660_000]).prop_map(Step::Pass),
        2 => (0_u32..4).prop_map(Step::Purge),
        1 => Just(Step::Reopen),
    ];
    vec(step, 40)
}

#[test]
fn does_what_the_transitions_do() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let cases = std::env::var("SQLITE_CASES").map_or(60, |cases| cases.parse().unwrap());
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&steps(), |steps| runtime.block_on(compare(steps)))
        .unwrap();
}

/// The transitions, and no database.
#[derive(Default)]
struct Model {
    records: BTreeMap<DeliveryKey, (DeliveryRecord, String)>,
    signatures: BTreeMap<[u8; 20], ([u8; 16], Duration)>,
}

impl Model {
    fn known(&self, claim: &Claim) -> Option<DeliveryRecord> {
        self.records.get(&claim.key).map(|(record, _)| *record)
    }

    fn knows_another(&self, claim: &Claim, now: Duration) -> bool {
        self.records.iter().any(|(key, (record, event_id))| {
            *key != claim.key && *event_id == claim.event_id && !record.is_forgotten(now)
        })
    }

    fn put(&mut self, claim: &Claim, record: Option<DeliveryRecord>) {
        if let Some(record) = record {
            self.records
                .insert(claim.key, (record, claim.event_id.clone()));
        }
    }

    /// The keys that a purge may remove, the first to expire first.
    fn forgotten(&self, now: Duration) -> usize {
        let records = self.records.values();
        records
            .filter(|(record, _)| record.is_forgotten(now))
            .count()
    }
}

async fn compare(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (directory, clock) = (Directory::new(), TestClock::new());
    let mut store = clock.open(&directory.database());
    let mut model = Model::default();
    let mut claims: Vec<Claim> = Vec::new();
    for step in steps {
        let now = clock.now();
        match step {
            Step::Claim(..) | Step::ClaimAgain(_) => {
                let claim = match step {
                    Step::Claim(delivery, lease, retention) => {
                        let claim = claim(delivery, claims.len())
                            .with_lease(lease)
                            .with_retention(retention);
                        claims.push(claim.clone());
                        claim
                    }
                    Step::ClaimAgain(owner) if !claims.is_empty() => owner.get(&claims).clone(),
                    _ => continue,
                };
                let changed = model.knows_another(&claim, now);
                let (record, expected) =
                    DeliveryRecord::claim(model.known(&claim), &claim, changed, now);
                model.put(&claim, record);
                prop_assert_eq!(store.claim(&claim).await.unwrap(), expected);
            }
            Step::Settle(..) | Step::SettleUnclaimed(..) => {
                let (claim, settlement) = match step {
                    Step::Settle(owner, by) if !claims.is_empty() => {
                        (owner.get(&claims).clone(), by)
                    }
                    Step::SettleUnclaimed(delivery, by) => (claim(delivery, usize::MAX), by),
                    _ => continue,
                };
                let (record, expected) =
                    DeliveryRecord::settle(model.known(&claim), &claim, settlement, now);
                model.put(&claim, record);
                prop_assert_eq!(store.settle(&claim, settlement).await.unwrap(), expected);
            }
            Step::Bind(signature, content) => {
                let check = check(signature, content);
                let bound = model.signatures.get(&check.signature).copied();
                let expected = match bound.filter(|(_, expires)| *expires > now) {
                    Some((content, _)) if content == check.content => Binding::Same,
                    Some(_) => Binding::Conflict,
                    None => {
                        let bound = (check.content, now + check.keep_for);
                        model.signatures.insert(check.signature, bound);
                        Binding::First
                    }
                };
                prop_assert_eq!(store.bind(&check).await.unwrap(), expected);
            }
            Step::Pass(passed) => clock.advance(passed),
            Step::Purge(limit) => {
                let forgotten = model.forgotten(now) as u64;
                let removed = DeliveryStore::purge(&store, limit).await.unwrap();
                prop_assert_eq!(removed, forgotten.min(limit.into()));
                prop_assert_eq!(
                    DeliveryStore::purge(&store, u32::MAX).await.unwrap(),
                    forgotten - removed
                );
                model
                    .records
                    .retain(|_, (record, _)| !record.is_forgotten(now));
                let before = model.signatures.len();
                model.signatures.retain(|_, (_, expires)| *expires > now);
                let expired = before - model.signatures.len();
                let removed = ReplayGuard::purge(&store, u32::MAX).await.unwrap();
                prop_assert_eq!(removed, expired as u64);
            }
            Step::Reopen => store = clock.open(&directory.database()),
        }
    }
    let rows = directory.connection().query_row(
        "SELECT (SELECT count(*) FROM zego_delivery), (SELECT count(*) FROM zego_signature)",
        [],
        |row| Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?)),
    );
    prop_assert_eq!(
        rows.unwrap(),
        (model.records.len() as u32, model.signatures.len() as u32)
    );
    Ok(())
}

/// Two deliveries about each file.
fn claim(delivery: u32, owner: usize) -> Claim {
    let event_id = format!("1:file:{}", delivery / 2);
    Claim::new(key(delivery), event_id, Owner::new(owner as u128))
}
