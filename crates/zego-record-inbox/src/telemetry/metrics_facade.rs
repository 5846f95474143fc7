//! Figures through the `metrics` facade.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::super::Count;
use crate::entry::{EntryState, Stats};

const ATTEMPTS: &str = "zego_record_inbox_attempts_total";
const RUNNING: &str = "zego_record_inbox_handlers_running";
const CALLBACKS: &str = "zego_record_inbox_callbacks";
const OLDEST: &str = "zego_record_inbox_oldest_seconds";
const PAUSED: &str = "zego_record_inbox_paused";
const HANDLER_SECONDS: &str = "zego_record_inbox_handler_seconds";

/// Describes every figure and lets it begin at zero, so that a rate over it is right from the start.
pub(crate) fn describe() {
    describe_counter!(
        ATTEMPTS,
        Unit::Count,
        "Attempts that have ended, by outcome"
    );
    for count in Count::ALL {
        let (name, description) = name(count);
        if let Some(outcome) = outcome(count) {
            counter!(ATTEMPTS, "outcome" => outcome).increment(0);
        } else {
            describe_counter!(name, Unit::Count, description);
            counter!(name).increment(0);
        }
    }
    describe_gauge!(RUNNING, Unit::Count, "Handlers that are running");
    gauge!(RUNNING).set(0.0);
    describe_gauge!(CALLBACKS, Unit::Count, "Callbacks in the inbox, by state");
    describe_gauge!(
        OLDEST,
        Unit::Seconds,
        "How long ago the oldest callback that is not over was accepted"
    );
    describe_gauge!(PAUSED, Unit::Count, "1 while the inbox is paused");
    describe_histogram!(
        HANDLER_SECONDS,
        Unit::Seconds,
        "How long the handler ran, by outcome"
    );
}

pub(crate) fn count(count: Count, events: u64) {
    match outcome(count) {
        Some(outcome) => counter!(ATTEMPTS, "outcome" => outcome).increment(events),
        None => counter!(name(count).0).increment(events),
    }
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn running(handlers: i64) {
    gauge!(RUNNING).set(handlers as f64);
}

pub(crate) fn handler_ended(count: Count, elapsed: Duration) {
    histogram!(HANDLER_SECONDS, "outcome" => outcome(count).unwrap_or("other")).record(elapsed);
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn stats(stats: &Stats) {
    for state in EntryState::ALL {
        gauge!(CALLBACKS, "state" => state.as_str()).set(stats.of(*state) as f64);
    }
    gauge!(OLDEST).set(stats.oldest.unwrap_or_default().as_secs_f64());
    gauge!(PAUSED).set(f64::from(u8::from(stats.paused)));
}

/// The label of what is an outcome of an attempt.
const fn outcome(count: Count) -> Option<&'static str> {
    Some(match count {
        Count::Done => "done",
        Count::Discarded => "discarded",
        Count::Failed => "failed",
        Count::Released => "released",
        Count::Dead => "dead",
        _ => return None,
    })
}

const fn name(count: Count) -> (&'static str, &'static str) {
    match count {
        Count::LeaseLost => (
            "zego_record_inbox_leases_lost_total",
            "Runs whose lease ended before they were settled",
        ),
        Count::NotSettled => (
            "zego_record_inbox_not_settled_total",
            "Runs whose end could not be recorded",
        ),
        Count::Corrupt => (
            "zego_record_inbox_corrupt_total",
            "Callbacks whose stored form could not be read",
        ),
        Count::StoreFailure => (
            "zego_record_inbox_store_failures_total",
            "Requests to the store that failed",
        ),
        Count::Pruned => (
            "zego_record_inbox_pruned_total",
            "Callbacks that were removed since they were done for long enough",
        ),
        _ => (ATTEMPTS, "Attempts that have ended, by outcome"),
    }
}
