//! Private database servers for tests: a directory and a port of their own on loopback, ended with the
//! process that has started them, however that ends.

// Everything here is a test.
#![allow(clippy::expect_used, clippy::missing_panics_doc, clippy::unwrap_used)]

mod certificates;
mod postgres;
mod process;
mod proxy;
mod redis;
mod relay;

pub use certificates::Certificates;
pub use postgres::Postgres;
pub use proxy::{Fault, Proxy};
pub use redis::Redis;
pub use relay::Relay;

use std::io::Write as _;
use std::net::TcpListener;

/// Whether `ZEGO_TEST_SKIP` names this server. It is printed, also when the test passes.
pub fn is_skipped(server: &str) -> bool {
    let skip = std::env::var("ZEGO_TEST_SKIP").unwrap_or_default();
    let skipped = skip.split(',').any(|name| name.trim() == server);
    if skipped {
        let _ = writeln!(
            std::io::stderr(),
            "skipped by ZEGO_TEST_SKIP: a test that needs {server}"
        );
    }
    skipped
}

/// A port of loopback that was free just now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
