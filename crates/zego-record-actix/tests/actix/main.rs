//! The adapter as its users see it: in process, and over a socket with several workers.
#![allow(clippy::unwrap_used)]

mod disconnect;
mod extract;
mod middleware;
mod route;
mod support;
mod workers;
