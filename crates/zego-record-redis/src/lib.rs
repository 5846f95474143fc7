#![doc = include_str!("../README.md")]

mod builder;
mod error;
mod link;
mod script;
mod server;
mod store;

pub use builder::RedisStoreBuilder;
pub use store::RedisStore;

/// The driver, for a client or a connection of your own.
pub use redis;
