//! Events and spans through `tracing`.

use std::error::Error;
use std::time::Duration;

use tracing::field::Empty;
use tracing::{Instrument, Span, error, info, info_span, warn};
use zego_record_core::{OtherEvent, RecordCallback, Rejection, Verdict};

use crate::delivery::HandlerError;
use crate::store::StoreError;

/// What to filter by; the same for all that this project logs.
const TARGET: &str = "zego_record";

/// One span for every callback that has passed verification and guard.
#[derive(Debug)]
pub(crate) struct CallbackSpan(Span);

impl CallbackSpan {
    pub(crate) fn new(callback: &RecordCallback) -> Self {
        Self(info_span!(
            target: TARGET,
            "zego_record_callback",
            event_id = callback.event_id(),
            appid = callback.appid(),
            stream = callback.stream_alias(),
            attempt = Empty,
            verdict = Empty,
        ))
    }

    pub(crate) fn attempt(&self, attempt: u32) {
        self.0.record("attempt", attempt);
    }

    pub(crate) fn verdict(&self, verdict: Verdict) {
        self.0.record("verdict", verdict.code());
    }

    pub(crate) async fn cover<F: Future>(&self, work: F) -> F::Output {
        work.instrument(self.0.clone()).await
    }
}

pub(crate) fn rejected(rejection: &Rejection, suppressed: u64) {
    let verdict = rejection.verdict().code();
    warn!(target: TARGET, verdict, suppressed, "rejected: {rejection}");
}

pub(crate) fn ignored(event: &OtherEvent) {
    info!(target: TARGET, event = event.name(), "ignored another event than record");
}

pub(crate) fn signature_reused(rejected: bool) {
    error!(target: TARGET, rejected, "a signature came a second time with other content");
}

pub(crate) fn clock_skew(seconds: i64) {
    error!(
        target: TARGET,
        seconds,
        "signed requests keep being rejected for the same offset: this machine's clock is probably wrong"
    );
}

pub(crate) fn store_failed(what: &'static str, error: &StoreError) {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    error!(target: TARGET, what, cause, "{error}");
}

pub(crate) fn handler_failed(error: &HandlerError) {
    warn!(target: TARGET, "the handler failed, ZEGOCLOUD will try again: {error}");
}

pub(crate) fn handler_panicked() {
    error!(target: TARGET, "the handler panicked, ZEGOCLOUD will try again");
}

pub(crate) fn handler_timed_out(after: Duration) {
    let after_s = after.as_secs_f64();
    warn!(target: TARGET, after_s, "the handler was not done in time and was stopped");
}

pub(crate) fn discarded(error: &HandlerError) {
    info!(target: TARGET, "the handler discarded the callback: {error}");
}

pub(crate) fn abandoned(callback: &RecordCallback, verdict: Verdict) {
    error!(
        target: TARGET,
        event_id = callback.event_id(),
        stream = callback.stream_alias(),
        verdict = verdict.code(),
        "ZEGOCLOUD did not send this callback again: unless another receiver got it, it is lost"
    );
}
