//! A second implementation of the protocol, written from its rules and not from the crate under test.
//!
//! It is deliberately naive: it copies everything, reads JSON by recursive descent into a tree, and
//! has its own SHA-1. It shares no code with `zego-record-core`, so that the two are wrong together
//! only where the rules were misunderstood twice.

pub mod delivery_key;
pub mod extra_params;
pub mod form;
pub mod json;
pub mod sha1;
pub mod stored;
pub mod verdict;
