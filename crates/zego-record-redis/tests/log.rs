//! What the feature `tracing` logs.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::set_default;
use zego_record_test_servers::Redis;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn unsafe_settings_are_logged_once_for_each_opening() {
    let Some(server) = Redis::start(&["maxmemory-policy=volatile-ttl"]) else {
        return;
    };
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    let guard = set_default(subscriber.finish());
    common::open(&server, "a").await;
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = log.lines().collect();
    let [line] = lines.as_slice() else {
        panic!("{log}")
    };
    let expected = "WARN zego_record: maxmemory-policy is volatile-ttl";
    assert!(line.contains(expected), "{line}");
}
