//! Figures through the `metrics` facade.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use zego_record_core::Verdict;

use crate::telemetry::counters::Count;

const ANSWERS: &str = "zego_record_answers_total";
const IN_FLIGHT: &str = "zego_record_handlers_in_flight";
const GUARD_EVICTIONS: &str = "zego_record_guard_evictions_total";
const STORE_EVICTIONS: &str = "zego_record_store_evictions_total";
const HANDLER_SECONDS: &str = "zego_record_handler_seconds";

/// Describes every figure and lets it begin at zero, so that a rate over it is right from the start.
pub(crate) fn describe() {
    describe_counter!(ANSWERS, Unit::Count, "Requests answered, by verdict");
    for verdict in Verdict::ALL {
        counter!(ANSWERS, "verdict" => verdict.code()).increment(0);
    }
    for count in Count::ALL {
        let (name, description) = name(count);
        describe_counter!(name, Unit::Count, description);
        counter!(name).increment(0);
    }
    describe_counter!(
        GUARD_EVICTIONS,
        Unit::Count,
        "Signatures that the replay guard removed before they expired, for lack of room"
    );
    describe_counter!(
        STORE_EVICTIONS,
        Unit::Count,
        "Deliveries that the store removed before they expired, for lack of room"
    );
    evictions(0, 0);
    describe_gauge!(IN_FLIGHT, Unit::Count, "Handlers that are running");
    gauge!(IN_FLIGHT).set(0.0);
    describe_histogram!(
        HANDLER_SECONDS,
        Unit::Seconds,
        "How long the handler ran, by verdict"
    );
}

pub(crate) fn answered(verdict: Verdict) {
    counter!(ANSWERS, "verdict" => verdict.code()).increment(1);
}

pub(crate) fn count(count: Count, events: u64) {
    counter!(name(count).0).increment(events);
}

/// In total, as the guard and the store count them.
pub(crate) fn evictions(guard: u64, store: u64) {
    counter!(GUARD_EVICTIONS).absolute(guard);
    counter!(STORE_EVICTIONS).absolute(store);
}

pub(crate) fn in_flight(handlers: usize) {
    // Exact up to 2^52 handlers.
    #[allow(clippy::cast_precision_loss)]
    gauge!(IN_FLIGHT).set(handlers as f64);
}

pub(crate) fn handler_ended(verdict: Verdict, elapsed: Duration) {
    histogram!(HANDLER_SECONDS, "verdict" => verdict.code()).record(elapsed.as_secs_f64());
}

fn name(count: Count) -> (&'static str, &'static str) {
    match count {
        Count::Verified => (
            "zego_record_verified_total",
            "Record callbacks that passed verification and the replay check",
        ),
        Count::SignatureReused => (
            "zego_record_signatures_reused_total",
            "Signatures that came again with other content",
        ),
        Count::GuardFallback => (
            "zego_record_guard_fallbacks_total",
            "Requests checked by the guard in memory, since the configured one could not be reached",
        ),
        Count::StoreFailure => (
            "zego_record_store_failures_total",
            "Requests to the delivery store that failed, after all tries",
        ),
        Count::RunWithoutDeduplication => (
            "zego_record_runs_without_deduplication_total",
            "Handlers run without deduplication, since the store could not be reached",
        ),
        Count::CompletionGivenUp => (
            "zego_record_completions_given_up_total",
            "Deliveries that are done and could not be recorded so",
        ),
        Count::Purged => (
            "zego_record_purged_total",
            "Expired deliveries and signatures that were removed",
        ),
        Count::QuarantineSuppressed => (
            "zego_record_quarantine_suppressed_total",
            "Signed and rejected bodies that were not handed to the quarantine hook",
        ),
        Count::RetryUnwatched => (
            "zego_record_retries_unwatched_total",
            "Failed callbacks whose retry is not watched for, since too many are",
        ),
        Count::Abandoned => (
            "zego_record_abandoned_total",
            "Failed callbacks that did not come again",
        ),
    }
}
