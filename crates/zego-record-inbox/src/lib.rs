#![doc = include_str!("../README.md")]

mod arrivals;
mod delivery;
mod entry;
mod hooks;
mod lease_lost;
mod memory;
mod plan;
mod schedule;
mod state;
mod store;
mod telemetry;
mod worker;

pub use arrivals::Arrivals;
pub use delivery::{CommitGuard, Delivery};
pub use entry::{
    Attempt, AttemptOutcome, Details, Entry, EntryState, Filter, Stats, StoredCallback,
};
pub use hooks::{AttemptReport, DeadLetter};
pub use lease_lost::LeaseLost;
pub use memory::MemoryInbox;
pub use plan::Plan;
pub use schedule::Schedule;
pub use state::{Over, OverState, WorkRecord};
pub use store::{ClaimDue, Claimed, Hold, InboxStore, Next, Note, RunEnded};
pub use telemetry::WorkerCounters;
pub use worker::{Worker, WorkerBuilder};
