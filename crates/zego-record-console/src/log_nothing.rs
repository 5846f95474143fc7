//! What `log_tracing.rs` has, without a subscriber.

use zego_record_receiver::StoreError;

use crate::action::ActionReport;

pub(crate) fn action(_: &ActionReport<'_>) {}
pub(crate) fn wrong_token(_: &str, _: u64) {}
pub(crate) fn store_failed(_: &'static str, _: &StoreError, _: u64) {}
