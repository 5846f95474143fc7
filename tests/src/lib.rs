//! Every adapter in every way to use it, each behind a real socket, with one scripted handler.
//!
//! A test gets them from [`MOUNTS`] and runs against each. A new adapter is one more row.

// Everything here is a test.
#![allow(
    clippy::expect_used,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::unwrap_used
)]

mod client;
mod mounts;
#[cfg(doctest)]
mod readme;
mod script;

pub use client::{Connection, send};
pub use mounts::{Extent, MOUNTS, Mount, Running};
pub use script::Script;

use std::fmt::Display;
use std::io::Write as _;
use std::time::SystemTime;

use zego_record_core::{CallbackSecret, UnixSeconds, Verifier};
use zego_record_receiver::{Receiver, ReceiverBuilder};
use zego_record_testkit::RequestBuilder;

/// The secret of every receiver here.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A receiver to be configured further.
pub fn receiver() -> ReceiverBuilder {
    let secret = CallbackSecret::new(SECRET).unwrap();
    Receiver::builder(Verifier::builder().secret(secret).build().unwrap())
}

/// Says what a test has run, also when it passes: `cargo test` holds back what is printed by macros alone.
pub fn figures(test: &str, figures: impl Display) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "figures: {test}: {figures}");
}

/// The current time.
pub fn now() -> UnixSeconds {
    SystemTime::now().into()
}

/// A signed request about a stream; see [`Script`] for what its name makes the handler do.
pub fn request(stream: &str) -> RequestBuilder {
    RequestBuilder::new(SECRET, now())
        .field("stream_alias", stream)
        .field(
            "replay_url",
            format!("https://vod.example.com/{stream}.mp4"),
        )
        .field("extra_params", "{}")
}
