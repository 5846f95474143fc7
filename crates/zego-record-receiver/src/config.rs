//! What a receiver is configured with, checked.

use std::sync::Arc;
use std::time::Duration;

use crate::builder::StoreFailure;
use crate::clock::Clock;
use crate::guard::ReplayProtection;
use crate::hooks::Hooks;
use crate::pipeline::BodyLimits;
use crate::reply::Replies;
use crate::store::DeliveryStore;

#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) body: BodyLimits,
    pub(crate) handler_timeout: Duration,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    pub(crate) max_in_flight: usize,
    pub(crate) store: Arc<dyn DeliveryStore>,
    pub(crate) store_timeout: Duration,
    pub(crate) store_failure: StoreFailure,
    pub(crate) replay_protection: ReplayProtection,
    pub(crate) reject_other_events: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hooks: Hooks,
    pub(crate) replies: Replies,
}
