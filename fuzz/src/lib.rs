//! What the fuzz targets check, as plain functions, so that `cargo test` can replay the corpus without
//! libFuzzer.
//!
//! A check takes bytes and panics if a promise is broken. Its input is text as far as possible, a body
//! as it comes over the wire for most of them, so that the corpus can be read and taken from the golden
//! table.

// The command line's reader of captured bodies, which nobody else may use.
#[path = "../../crates/zego-record-cli/src/captured.rs"]
mod captured;
pub mod checks;
pub mod reference;
pub mod seeds;
mod world;
mod write;
