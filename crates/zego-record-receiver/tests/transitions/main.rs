//! The life of a delivery: every state under every event, and every history that six attempts can have.

#![allow(clippy::unwrap_used)]

mod model;

use std::io::Write as _;
use std::time::Duration;

use model::{Machine, explore};
use zego_record_core::DeliveryKey;
use zego_record_receiver::{
    Claim, ClaimOutcome, DeliveryRecord, DeliveryState, Lease, Owner, Settled, Settlement,
};

const ME: Owner = Owner::new(1);
const OTHER: Owner = Owner::new(2);
const NOW: Duration = Duration::from_secs(1_000);
const LEASE: Duration = Duration::from_secs(10);
const RETENTION: Duration = Duration::from_secs(100_000);

fn claim() -> Claim {
    Claim::new(DeliveryKey::from_bytes([7; 32]), "1:url:u", ME)
        .with_lease(LEASE)
        .with_retention(RETENTION)
}

fn running(owner: Owner, lease_ends: u64) -> DeliveryState {
    DeliveryState::Running {
        owner,
        lease_ends: Duration::from_secs(lease_ends),
    }
}

fn record(state: DeliveryState) -> Option<DeliveryRecord> {
    Some(DeliveryRecord {
        state,
        epoch: 3,
        changed: true,
        expires: NOW + RETENTION,
    })
}

fn expired(state: DeliveryState) -> Option<DeliveryRecord> {
    Some(DeliveryRecord {
        state,
        epoch: 3,
        changed: true,
        expires: NOW,
    })
}

#[test]
fn every_claim() {
    let run = |epoch, changed| ClaimOutcome::Run(Lease::new(epoch, changed));
    let rows = [
        ("absent", None, run(1, false)),
        (
            "running, mine: the first answer was lost",
            record(running(ME, 1_005)),
            run(3, true),
        ),
        (
            "running, mine, lease over",
            record(running(ME, 1_000)),
            run(3, true),
        ),
        (
            "running, another's",
            record(running(OTHER, 1_001)),
            ClaimOutcome::Busy,
        ),
        (
            "running, another's, lease over",
            record(running(OTHER, 1_000)),
            run(4, true),
        ),
        ("failed", record(DeliveryState::Failed), run(4, true)),
        ("done", record(DeliveryState::Done), ClaimOutcome::Done),
        (
            "running, another's, expired",
            expired(running(OTHER, 999)),
            run(1, false),
        ),
        (
            "running, expired, but the lease is good",
            expired(running(OTHER, 1_001)),
            ClaimOutcome::Busy,
        ),
        (
            "failed, expired",
            expired(DeliveryState::Failed),
            run(1, false),
        ),
        ("done, expired", expired(DeliveryState::Done), run(1, false)),
    ];
    for (name, before, outcome) in rows {
        let (after, answer) = DeliveryRecord::claim(before, &claim(), false, NOW);
        assert_eq!(answer, outcome, "{name}");
        match outcome {
            ClaimOutcome::Run(lease) => {
                let expected = DeliveryRecord {
                    state: running(ME, 1_010),
                    epoch: lease.epoch,
                    changed: lease.changed,
                    expires: NOW + LEASE + RETENTION,
                };
                assert_eq!(after, Some(expected), "{name}");
            }
            _ => assert_eq!(after, before, "{name}"),
        }
    }
    let (after, _) = DeliveryRecord::claim(None, &claim(), true, NOW);
    assert!(
        after.unwrap().changed,
        "a new record learns whether it is changed"
    );
}

#[test]
fn every_settlement() {
    use Settled::{Applied, Stale};
    use Settlement::{Done, Extend, Failed};
    let done = Some((DeliveryState::Done, RETENTION));
    let failed = Some((DeliveryState::Failed, RETENTION));
    let extended = Some((running(ME, 1_010), LEASE + RETENTION));
    // `None` for a record that is left as it was.
    let rows = [
        (
            "absent",
            None,
            [
                (Done, Applied, done),
                (Failed, Stale, None),
                (Extend, Stale, None),
            ],
        ),
        (
            "running, mine",
            record(running(ME, 1_005)),
            [
                (Done, Applied, done),
                (Failed, Applied, failed),
                (Extend, Applied, extended),
            ],
        ),
        (
            "running, mine, lease over, nobody has claimed",
            record(running(ME, 1_000)),
            [
                (Done, Applied, done),
                (Failed, Applied, failed),
                (Extend, Applied, extended),
            ],
        ),
        (
            "running, another's",
            record(running(OTHER, 1_005)),
            [
                (Done, Applied, done),
                (Failed, Stale, None),
                (Extend, Stale, None),
            ],
        ),
        (
            "failed",
            record(DeliveryState::Failed),
            [
                (Done, Applied, done),
                (Failed, Stale, None),
                (Extend, Stale, None),
            ],
        ),
        (
            "done",
            record(DeliveryState::Done),
            [
                (Done, Stale, None),
                (Failed, Stale, None),
                (Extend, Stale, None),
            ],
        ),
    ];
    for (name, before, events) in rows {
        for (settlement, settled, change) in events {
            let (after, answer) = DeliveryRecord::settle(before, &claim(), settlement, NOW);
            assert_eq!(answer, settled, "{name}, {settlement:?}");
            match change {
                None => assert_eq!(after, before, "{name}, {settlement:?}"),
                Some((state, kept)) => {
                    let after = after.unwrap();
                    assert_eq!(
                        (after.state, after.expires),
                        (state, NOW + kept),
                        "{name}, {settlement:?}"
                    );
                    assert_eq!(after.epoch, before.map_or(1, |record| record.epoch));
                }
            }
        }
    }
}

#[test]
fn extreme_times_and_counts_saturate() {
    let endless = claim()
        .with_lease(Duration::MAX)
        .with_retention(Duration::MAX);
    let record = DeliveryRecord {
        epoch: u32::MAX,
        ..record(DeliveryState::Failed).unwrap()
    };
    let (after, outcome) = DeliveryRecord::claim(Some(record), &endless, false, Duration::MAX);
    assert_eq!(
        outcome,
        ClaimOutcome::Run(Lease::new(1, false)),
        "it has expired"
    );
    assert_eq!(after.unwrap().expires, Duration::MAX);
    let (_, outcome) = DeliveryRecord::claim(Some(record), &endless, false, NOW);
    assert_eq!(outcome, ClaimOutcome::Run(Lease::new(u32::MAX, true)));
}

#[test]
fn no_history_breaks_a_promise() {
    let explored = explore(&Machine::REAL).unwrap_or_else(|violation| panic!("{violation}"));
    // Not by a macro, whose output `cargo test` would hold back.
    let _ = writeln!(
        std::io::stderr(),
        "figures: transitions: {explored} states explored"
    );
    assert!(
        explored > 10_000,
        "only {explored} states: the model has lost its choices"
    );
}

#[test]
fn the_model_catches_a_machine_that_acknowledges_what_is_running() {
    let violation = explore(&Machine {
        claim: |record, claim, changed, now| match DeliveryRecord::claim(
            record, claim, changed, now,
        ) {
            (record, ClaimOutcome::Busy) => (record, ClaimOutcome::Done),
            other => other,
        },
        ..Machine::REAL
    });
    assert_eq!(
        violation.unwrap_err().promise,
        "a 2xx means that the effect is done"
    );
}

#[test]
fn the_model_catches_a_machine_that_lets_a_late_owner_fail_another() {
    let violation = explore(&Machine {
        settle: |record, claim, settlement, now| match (settlement, record) {
            (Settlement::Failed, Some(running)) if running.state != DeliveryState::Done => (
                Some(DeliveryRecord {
                    state: DeliveryState::Failed,
                    ..running
                }),
                Settled::Applied,
            ),
            _ => DeliveryRecord::settle(record, claim, settlement, now),
        },
        ..Machine::REAL
    });
    assert_eq!(violation.unwrap_err().promise, "never two handlers at once");
}

#[test]
fn the_model_catches_a_machine_that_marks_before_it_runs() {
    let violation = explore(&Machine {
        claim: |record, claim, changed, now| match DeliveryRecord::claim(
            record, claim, changed, now,
        ) {
            (Some(record), ClaimOutcome::Run(lease)) => (
                Some(DeliveryRecord {
                    state: DeliveryState::Done,
                    ..record
                }),
                ClaimOutcome::Run(lease),
            ),
            other => other,
        },
        ..Machine::REAL
    });
    assert_eq!(
        violation.unwrap_err().promise,
        "a 2xx means that the effect is done"
    );
}

#[test]
fn the_model_catches_a_machine_that_forgets_that_it_is_done() {
    let violation = explore(&Machine {
        settle: |record, claim, settlement, now| match (settlement, record) {
            (Settlement::Done, Some(record)) => (
                Some(DeliveryRecord {
                    state: DeliveryState::Failed,
                    ..record
                }),
                Settled::Applied,
            ),
            _ => DeliveryRecord::settle(record, claim, settlement, now),
        },
        ..Machine::REAL
    });
    assert_eq!(violation.unwrap_err().promise, "done stays done");
}

#[test]
fn the_model_catches_a_machine_without_leases() {
    let violation = explore(&Machine {
        claim: |record, claim, changed, now| {
            let stolen = record.map(|record| match record.state {
                DeliveryState::Running { .. } => DeliveryRecord {
                    state: DeliveryState::Failed,
                    ..record
                },
                _ => record,
            });
            DeliveryRecord::claim(stolen, claim, changed, now)
        },
        ..Machine::REAL
    });
    assert_eq!(violation.unwrap_err().promise, "never two handlers at once");
}
