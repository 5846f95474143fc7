//! The console over an inbox in memory, as its router and behind a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod actions;
mod hostile;
mod pages;
mod random;
mod site;
mod socket;
