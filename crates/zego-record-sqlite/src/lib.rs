#![doc = include_str!("../README.md")]

mod backup;
mod builder;
mod error;
mod failpoint;
mod inbox;
mod open;
mod reader;
pub mod sql;
mod step;
mod store;
mod writer;

pub use builder::SqliteStoreBuilder;
pub use rusqlite;
pub use step::{Recorded, event_hash};
pub use store::SqliteStore;
pub use zego_record_inbox::LeaseLost;
