//! Every adapter in every way to use it, each behind a real socket, with one scripted handler.
//!
//! [`every_mount!`] makes a test of a function for each of the [`MOUNTS`].

// Everything here is a test.
#![allow(
    clippy::expect_used,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::unwrap_used
)]

mod client;
mod every_mount;
mod mounts;
#[cfg(doctest)]
mod readme;
mod script;
mod stores;

pub use client::{Connection, send, try_send};
pub use mounts::{Extent, MOUNTS, Mount, Running, mount, run_on};
pub use script::Script;
pub use stores::{Kind, Place, Store};
pub use zego_record_testkit::fixtures::{SECRET, now, receiver, request};

use std::fmt::Display;
use std::io::Write as _;

/// Prints what a test has run, also when it passes: `cargo test` captures only what macros print.
pub fn figures(test: &str, figures: impl Display) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "figures: {test}: {figures}");
}
