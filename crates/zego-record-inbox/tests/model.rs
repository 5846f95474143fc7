//! The work on a callback: every history that it can have in a small world keeps every promise, and the
//! exploration notices when one does not.

#![allow(clippy::unwrap_used)]

#[path = "model/world.rs"]
mod world;

use std::io::Write as _;
use std::time::Duration;

use world::{Machine, explore};
use zego_record_inbox::{EntryState, Hold, Next, Over, OverState, WorkRecord};
use zego_record_receiver::{Owner, Settled};

#[test]
fn no_history_breaks_a_promise() {
    let explored = explore(&Machine::REAL).unwrap_or_else(|violation| panic!("{violation}"));
    // Not by a macro, whose output `cargo test` would hold back.
    let _ = writeln!(
        std::io::stderr(),
        "figures: work on a callback: {explored} states explored"
    );
    assert!(
        explored > 100_000,
        "only {explored} states: the model has lost its choices"
    );
}

#[test]
fn finds_a_lease_that_keeps_nobody_away() {
    assert_found(
        "never two holders whose leases are good",
        Machine {
            claim: |record, owner, lease, now| {
                let due = WorkRecord::claim(record, owner, lease, now);
                due.or_else(|| WorkRecord::claim(&at_once(record)?, owner, lease, now))
            },
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_a_lease_that_is_shorter_than_its_holder_knows() {
    assert_found(
        "never two holders whose leases are good",
        Machine {
            claim: |record, owner, lease, now| WorkRecord::claim(record, owner, lease / 2, now),
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_an_epoch_that_stays() {
    assert_found(
        "epochs increase",
        Machine {
            claim: |record, owner, lease, now| {
                let mut next = WorkRecord::claim(record, owner, lease, now)?;
                next.epoch = record.epoch.max(1);
                Some(next)
            },
            ..Machine::REAL
        },
    );
    assert_found(
        "epochs increase",
        Machine {
            redeliver: |record, now| {
                let mut next = WorkRecord::redeliver(record, now)?;
                next.epoch = 0;
                Some(next)
            },
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_success_before_the_effect() {
    assert_found(
        "no success without an effect",
        Machine {
            claim: |record, owner, lease, now| {
                let next = WorkRecord::claim(record, owner, lease, now)?;
                Some(over(&next, OverState::Done, now))
            },
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_a_holder_that_is_known_by_its_name_alone() {
    let promise = "a run that has lost its callback changes nothing";
    assert_found(
        promise,
        Machine {
            settle: |record, hold, next, now| {
                WorkRecord::settle(record, &renewed(record, hold), next, now)
            },
            ..Machine::REAL
        },
    );
    assert_found(
        promise,
        Machine {
            extend: |record, hold, lease, now| {
                WorkRecord::extend(record, &renewed(record, hold), lease, now)
            },
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_what_was_done_and_fails_later() {
    assert_found(
        "done stays done",
        Machine {
            settle: |record, hold, next, now| match (record.state(), next) {
                (EntryState::Done, Next::Retry(_)) => {
                    let next = WorkRecord::redeliver(record, now).unwrap();
                    (next, Settled::Applied)
                }
                _ => WorkRecord::settle(record, hold, next, now),
            },
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_a_late_success_that_is_dropped() {
    assert_found(
        "a late success is true",
        Machine {
            settle: |record, hold, next, now| {
                if record.epoch == hold.epoch {
                    WorkRecord::settle(record, hold, next, now)
                } else {
                    (*record, Settled::Stale)
                }
            },
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_what_is_stuck() {
    assert_found(
        "what is not over has a due time",
        Machine {
            settle: |record, hold, next, now| {
                let (mut after, settled) = WorkRecord::settle(record, hold, next, now);
                if matches!(next, Next::Retry(_)) && settled == Settled::Applied {
                    after.due_at = None;
                }
                (after, settled)
            },
            ..Machine::REAL
        },
    );
    // A claim that looks for what waits, and leaves what runs to somebody else.
    assert_found(
        "what is due can be claimed",
        Machine {
            claim: |record, owner, lease, now| {
                let waits = record.state() == EntryState::Waiting;
                waits.then(|| WorkRecord::claim(record, owner, lease, now))?
            },
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_what_is_over_and_still_due() {
    assert_found(
        "what is over is never due",
        Machine {
            discard: |record, now| {
                let mut next = WorkRecord::discard(record, now)?;
                next.due_at = record.due_at.or(Some(now));
                Some(next)
            },
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_dead_letters_that_are_pruned() {
    assert_found(
        "dead is never pruned",
        Machine {
            is_prunable: |record, keep, now| record.over.is_some_and(|over| over.at + keep <= now),
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_operators_that_disturb_a_run() {
    assert_found(
        "redelivery leaves alone what runs, and nothing else",
        Machine {
            redeliver: |record, now| {
                let mut next = WorkRecord::new(now);
                next.epoch = record.epoch;
                Some(next)
            },
            ..Machine::REAL
        },
    );
    assert_found(
        "discarding leaves alone what runs, is done or is discarded",
        Machine {
            discard: |record, now| Some(over(record, OverState::Discarded, now)),
            ..Machine::REAL
        },
    );
}

#[test]
fn finds_attempts_that_are_not_counted_right() {
    let promise = "attempts count starts since redelivery, but not what was released";
    assert_found(
        promise,
        Machine {
            settle: |record, hold, next, now| match next {
                Next::Release(delay) => WorkRecord::settle(record, hold, Next::Retry(delay), now),
                _ => WorkRecord::settle(record, hold, next, now),
            },
            ..Machine::REAL
        },
    );
    assert_found(
        promise,
        Machine {
            redeliver: |record, now| {
                let mut next = WorkRecord::redeliver(record, now)?;
                next.attempts = record.attempts;
                Some(next)
            },
            ..Machine::REAL
        },
    );
}

#[test]
fn extreme_times_and_counts_saturate() {
    let mut record = WorkRecord::new(Duration::MAX);
    record.attempts = u32::MAX;
    record.epoch = u32::MAX;
    let owner = Owner::new(1);
    assert_eq!(record.claim(owner, Duration::MAX, Duration::ZERO), None);
    let running = record.claim(owner, Duration::MAX, Duration::MAX).unwrap();
    assert_eq!((running.attempts, running.epoch), (u32::MAX, u32::MAX));
    assert_eq!(running.due_at, Some(Duration::MAX));
    let hold = Hold::new(1, owner, u32::MAX);
    for next in [Next::Retry(Duration::MAX), Next::Release(Duration::MAX)] {
        let (waiting, settled) = running.settle(&hold, next, Duration::MAX);
        assert_eq!(
            (waiting.due_at, settled),
            (Some(Duration::MAX), Settled::Applied)
        );
    }
    let (done, _) = running.settle(&hold, Next::Done, Duration::from_secs(1));
    assert!(!done.is_prunable(Duration::MAX, Duration::from_secs(2)));
    let mut fresh = WorkRecord::new(Duration::ZERO);
    fresh.owner = Some(owner);
    let hold = Hold::new(1, owner, 0);
    let (released, _) = fresh.settle(&hold, Next::Release(Duration::ZERO), Duration::ZERO);
    assert_eq!(released.attempts, 0);
}

/// The same record without a lease.
fn at_once(record: &WorkRecord) -> Option<WorkRecord> {
    let mut due = *record;
    due.due_at = Some(Duration::ZERO);
    (record.state() == EntryState::Running).then_some(due)
}

fn over(record: &WorkRecord, state: OverState, now: Duration) -> WorkRecord {
    let mut over = *record;
    over.due_at = None;
    over.over = Some(Over { state, at: now });
    over
}

/// The run of the same worker that holds the callback now.
fn renewed(record: &WorkRecord, hold: &Hold) -> Hold {
    Hold::new(hold.id, hold.owner, record.epoch)
}

#[track_caller]
fn assert_found(promise: &str, machine: Machine) {
    let violation = explore(&machine).unwrap_err();
    assert_eq!(violation.promise, promise, "{violation}");
}
