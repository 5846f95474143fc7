//! Figures through the `metrics` facade; they go nowhere unless that feature is on.

use zego_record_core::Verdict;

#[cfg(feature = "metrics")]
pub(crate) fn answered(verdict: Verdict) {
    metrics::counter!("zego_record_answers_total", "verdict" => verdict.code()).increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) fn answered(_: Verdict) {}

#[cfg(feature = "metrics")]
pub(crate) fn in_flight(running: usize) {
    // Exact up to 2^52 handlers.
    #[allow(clippy::cast_precision_loss)]
    metrics::gauge!("zego_record_handlers_in_flight").set(running as f64);
}

#[cfg(not(feature = "metrics"))]
pub(crate) fn in_flight(_: usize) {}

/// Something that is counted without a label.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Accepted,
    SignatureReused,
    GuardEviction,
    GuardFallback,
    StoreEviction,
}

#[cfg(feature = "metrics")]
pub(crate) fn count(event: Event) {
    let counter = match event {
        Event::Accepted => metrics::counter!("zego_record_accepted_total"),
        Event::SignatureReused => metrics::counter!("zego_record_signatures_reused_total"),
        Event::GuardEviction => metrics::counter!("zego_record_guard_evictions_total"),
        Event::GuardFallback => metrics::counter!("zego_record_guard_fallbacks_total"),
        Event::StoreEviction => metrics::counter!("zego_record_store_evictions_total"),
    };
    counter.increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) fn count(_: Event) {}
