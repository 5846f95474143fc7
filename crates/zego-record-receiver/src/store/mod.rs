//! Where deliveries are remembered: the contract of a store, its transitions as pure functions, and the
//! store that comes with a receiver.

mod client;
mod contract;
mod memory;
mod owner;
mod state;

pub use client::call;
pub(crate) use client::{StoreClient, try_again};
pub use contract::{
    BoxFuture, Claim, ClaimOutcome, DeliveryStore, Lease, Settled, Settlement, StoreError,
    StoreErrorKind,
};
pub use memory::MemoryStore;
pub use owner::Owner;
pub use state::{DeliveryRecord, DeliveryState};
