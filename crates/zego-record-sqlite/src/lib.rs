#![doc = include_str!("../README.md")]

mod builder;
mod error;
mod failpoint;
mod open;
pub mod sql;
mod step;
mod store;
mod writer;

pub use builder::SqliteStoreBuilder;
pub use rusqlite;
pub use step::{Recorded, event_hash};
pub use store::SqliteStore;
