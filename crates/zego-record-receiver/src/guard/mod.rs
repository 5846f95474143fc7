//! Replay protection: one signature, one content.

mod client;
mod contract;
mod memory;
mod protection;

pub(crate) use client::GuardClient;
pub use contract::{Binding, ReplayCheck, ReplayGuard};
pub use memory::MemoryGuard;
pub(crate) use protection::Mode;
pub use protection::ReplayProtection;
