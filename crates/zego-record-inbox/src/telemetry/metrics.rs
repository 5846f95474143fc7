//! Figures through the `metrics` facade; they go nowhere unless that feature is on.

#[cfg_attr(feature = "metrics", path = "metrics_facade.rs")]
#[cfg_attr(not(feature = "metrics"), path = "metrics_nothing.rs")]
mod sink;

pub(crate) use sink::*;
