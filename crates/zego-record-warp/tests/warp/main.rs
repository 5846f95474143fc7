//! The filters as their users see them, in process; `tests/` at the root has them behind a socket.
#![allow(clippy::unwrap_used)]

mod compose;
mod disconnect;
mod layer;
mod record;
mod support;
mod verified;
