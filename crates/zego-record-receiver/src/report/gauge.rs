//! Figures through the `metrics` facade; they go nowhere unless that feature is on.

use zego_record_core::Verdict;

#[cfg(feature = "metrics")]
pub(crate) fn answered(verdict: Verdict) {
    metrics::counter!("zego_record_answers_total", "verdict" => verdict.code()).increment(1);
}

#[cfg(feature = "metrics")]
pub(crate) fn signature_reused() {
    metrics::counter!("zego_record_signatures_reused_total").increment(1);
}

#[cfg(feature = "metrics")]
pub(crate) fn in_flight(running: usize) {
    #[allow(clippy::cast_precision_loss)]
    metrics::gauge!("zego_record_handlers_in_flight").set(running as f64);
}

#[cfg(not(feature = "metrics"))]
pub(crate) fn answered(_: Verdict) {}

#[cfg(not(feature = "metrics"))]
pub(crate) fn signature_reused() {}

#[cfg(not(feature = "metrics"))]
pub(crate) fn in_flight(_: usize) {}
