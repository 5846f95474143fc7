//! What `log_tracing.rs` has, without a subscriber.

use zego_record_core::{DeliveryKey, RestoreError};
use zego_record_receiver::StoreError;

use crate::store::{Claimed, RunEnded};

#[derive(Clone, Debug)]
pub(crate) struct AttemptSpan;

impl AttemptSpan {
    pub(crate) fn new(_: &Claimed) -> Self {
        Self
    }

    pub(crate) async fn cover<F: Future>(&self, work: F) -> F::Output {
        work.await
    }
}

pub(crate) fn ended(_: &Claimed, _: &RunEnded, _: u64) {}
pub(crate) fn lease_lost(_: u64) {}
pub(crate) fn not_settled(_: bool, _: u64) {}
pub(crate) fn corrupt(_: &DeliveryKey, _: RestoreError, _: u64) {}
pub(crate) fn store_failed(_: &'static str, _: &StoreError, _: u64) {}
