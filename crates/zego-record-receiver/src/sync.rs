//! The locks of memory store and memory guard: those of `std`, or loom's, which tries every order in
//! which threads can come to them.

#[cfg(loom_model)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom_model))]
pub(crate) use std::sync::{Mutex, MutexGuard};
