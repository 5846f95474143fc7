//! What `log_tracing.rs` has, without a subscriber.

use zego_record_core::{RecordCallback, Rejection, Verdict};

use crate::store::StoreError;

#[derive(Clone, Debug)]
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

pub(crate) fn rejected(_: &Rejection, _: Option<&str>, _: u64) {}
pub(crate) fn ignored(_: &str, _: u64) {}
pub(crate) fn signature_observed(_: u64) {}
pub(crate) fn clock_suspected(_: i64, _: u64) {}
pub(crate) fn clock_trusted(_: u64) {}
pub(crate) fn store_failed(_: &'static str, _: &StoreError, _: u64) {}
pub(crate) fn delivered(_: Verdict, _: Option<&str>, _: u64) {}
pub(crate) fn abandoned(_: &RecordCallback, _: Verdict, _: u64) {}
pub(crate) fn completion_given_up(_: u64) {}
