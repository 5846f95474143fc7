//! What verification, the guard and deduplication cost, beside doing it by hand and doing nothing.
//!
//! The benches `verify`, `http` and `store` print tables of ratios; `check-baseline` compares what is
//! repeatable, instructions and allocations, with the committed baseline. See the README in this folder.

// A bench that cannot go on has nothing better to do than to say where it stopped.
#![allow(
    clippy::expect_used,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    missing_debug_implementations
)]

pub mod allocations;
pub mod app;
pub mod callgrind;
pub mod chart;
pub mod contest;
pub mod corpus;
pub mod in_process;
pub mod load;
pub mod machine;
pub mod memory;
pub mod naive;
pub mod plain;
pub mod response;
pub mod rounds;
pub mod table;
