//! Events; they go nowhere unless the feature `tracing` is on.

#[cfg_attr(feature = "tracing", path = "log_tracing.rs")]
#[cfg_attr(not(feature = "tracing"), path = "log_nothing.rs")]
mod sink;

pub(crate) use sink::*;
