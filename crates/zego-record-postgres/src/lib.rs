#![doc = include_str!("../README.md")]

mod builder;
mod connection;
mod error;
// Before `sql`, which has its tables and statements too.
#[macro_use]
mod inbox;
mod record;
pub mod sql;
mod store;
#[cfg(feature = "tls")]
mod tls;
mod url;

pub use builder::PostgresStoreBuilder;
pub use record::Recorded;
pub use store::PostgresStore;
pub use zego_record_inbox::LeaseLost;

/// The driver, for a pool of your own and for [`PostgresStore::record_in`].
pub use deadpool_postgres;
pub use deadpool_postgres::tokio_postgres;
