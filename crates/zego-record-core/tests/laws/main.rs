//! The laws of the protocol, on random input.
//!
//! A failure prints the smallest input found and a seed; what has failed once is tried again first, as
//! long as the build directory is kept.

#![allow(clippy::unwrap_used)]

mod content;
mod origin;
mod support;
