//! Events and spans through `tracing`.
//!
//! What the store and the handler say is cut to a length by the note it comes in.

use std::error::Error;

use tracing::{Instrument, Span, error, info, info_span, warn};
use zego_record_core::{DeliveryKey, RestoreError};
use zego_record_receiver::StoreError;
use zego_record_receiver::support::catch;

use crate::store::{Claimed, Next, RunEnded};

/// What to filter by; the same for everything that this project logs.
const TARGET: &str = "zego_record";

/// One span for every attempt.
#[derive(Clone, Debug)]
pub(crate) struct AttemptSpan(Span);

impl AttemptSpan {
    pub(crate) fn new(claimed: &Claimed) -> Self {
        let span = catch(|| {
            info_span!(
                target: TARGET,
                "zego_record_attempt",
                key = %claimed.callback.key,
                attempt = claimed.attempt,
            )
        });
        Self(span.unwrap_or_else(Span::none))
    }

    pub(crate) async fn cover<F: Future>(&self, work: F) -> F::Output {
        work.instrument(self.0.clone()).await
    }
}

pub(crate) fn ended(claimed: &Claimed, ended: &RunEnded, suppressed: u64) {
    let (key, reason) = (&claimed.callback.key, ended.note.text.escape_debug());
    match ended.next {
        Next::Done => info!(target: TARGET, %key, suppressed, "done"),
        Next::Discarded => {
            info!(target: TARGET, %key, suppressed, %reason, "the handler discarded it");
        }
        Next::Retry(delay) => {
            warn!(target: TARGET, %key, suppressed, %reason, ?delay, "failed, it is tried again");
        }
        Next::Release(delay) => {
            info!(target: TARGET, %key, suppressed, %reason, ?delay, "given back, it does not count");
        }
        Next::Dead => error!(
            target: TARGET,
            %key,
            suppressed,
            %reason,
            "a dead letter: it is not tried again unless somebody redelivers it"
        ),
    }
}

pub(crate) fn lease_lost(suppressed: u64) {
    warn!(
        target: TARGET,
        suppressed,
        "the lease of a run has ended, and another worker may have taken over"
    );
}

pub(crate) fn not_settled(is_done: bool, suppressed: u64) {
    if is_done {
        error!(
            target: TARGET,
            suppressed,
            "a callback is done and the store cannot record it: its handler will run again"
        );
    } else {
        warn!(
            target: TARGET,
            suppressed,
            "the store cannot record how a run has ended: it is tried again when the lease has ended"
        );
    }
}

pub(crate) fn corrupt(key: &DeliveryKey, error: RestoreError, suppressed: u64) {
    error!(target: TARGET, %key, suppressed, "cannot be handled: {error}");
}

pub(crate) fn store_failed(request: &'static str, failure: &StoreError, suppressed: u64) {
    let cause = catch(|| failure.source().map(ToString::to_string));
    let cause = cause.flatten().unwrap_or_default();
    error!(target: TARGET, request, cause = %cause.escape_debug(), suppressed, "the inbox failed: {failure}");
}
