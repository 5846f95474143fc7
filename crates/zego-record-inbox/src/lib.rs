//! A durable inbox for ZEGOCLOUD's recording callbacks.

mod arrivals;
mod delivery;
mod entry;
mod state;
mod store;

pub use arrivals::Arrivals;
pub use delivery::{CommitGuard, Delivery};
pub use entry::{
    Attempt, AttemptOutcome, Details, Entry, EntryState, Filter, Stats, StoredCallback,
};
pub use state::{Over, OverState, WorkRecord};
pub use store::{ClaimDue, Claimed, Hold, InboxStore, Next, Note, RunEnded};
