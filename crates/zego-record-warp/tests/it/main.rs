//! The filters as their users see them: in process, and over a socket.
#![allow(clippy::unwrap_used)]

mod compose;
mod disconnect;
mod layer;
mod record;
mod socket;
mod support;
mod verified;
