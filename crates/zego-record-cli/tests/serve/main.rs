//! `serve` and `inbox` as processes: a fake ZEGOCLOUD in front, an app behind, and everything that may happen
//! to the three.

#![allow(clippy::expect_used, clippy::print_stderr, clippy::unwrap_used)]

mod app;
mod configuration;
mod connections;
mod crashes;
mod forwarding;
mod hostile;
mod inbox;
mod languages;
mod operation;
mod page;
mod process;
mod zegocloud;
