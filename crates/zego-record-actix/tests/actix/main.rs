//! The adapter as its users see it: in process, and over a socket with several workers.
#![allow(clippy::unwrap_used)]

mod disconnect;
mod extract;
mod middleware;
mod route;
mod slow_extractors;
mod support;
mod workers;
