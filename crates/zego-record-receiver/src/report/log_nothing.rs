//! What `log_tracing.rs` has, without a listener.

use std::time::Duration;

use zego_record_core::{OtherEvent, RecordCallback, Rejection, Verdict};

use crate::delivery::HandlerError;
use crate::store::StoreError;

#[derive(Debug)]
pub(crate) struct CallbackSpan;

impl CallbackSpan {
    pub(crate) fn new(_: &RecordCallback) -> Self {
        Self
    }

    pub(crate) fn attempt(&self, _: u32) {}

    pub(crate) fn verdict(&self, _: Verdict) {}

    pub(crate) async fn cover<F: Future>(&self, work: F) -> F::Output {
        work.await
    }
}

pub(crate) fn rejected(_: &Rejection, _: u64) {}
pub(crate) fn ignored(_: &OtherEvent) {}
pub(crate) fn signature_reused(_: bool) {}
pub(crate) fn clock_skew(_: i64) {}
pub(crate) fn store_failed(_: &'static str, _: &StoreError) {}
pub(crate) fn handler_failed(_: &HandlerError) {}
pub(crate) fn handler_panicked() {}
pub(crate) fn handler_timed_out(_: Duration) {}
pub(crate) fn discarded(_: &HandlerError) {}
pub(crate) fn abandoned(_: &RecordCallback, _: Verdict) {}
