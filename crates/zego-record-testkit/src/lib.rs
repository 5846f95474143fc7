#![doc = include_str!("../README.md")]

mod callback;
mod clock;
mod content;
pub mod fixtures;
pub mod golden;
pub mod inboxes;
mod request;
mod signing;
pub mod stores;

pub use callback::CallbackBuilder;
pub use clock::ManualClock;
pub use request::{RequestBuilder, SignedRequest};
pub use signing::Signing;
