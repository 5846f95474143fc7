//! Receiving into an inbox: a callback is committed before it is answered, and handled later.

mod client;
mod contract;
mod receiver;

pub(crate) use client::InboxClient;
pub use contract::{Accept, Accepted, NewCallback};
pub use receiver::InboxReceiver;
