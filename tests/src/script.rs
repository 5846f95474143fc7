//! The handler that all mounts run, and what it does.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::Semaphore;
use zego_record_core::RecordCallback;
use zego_record_receiver::HandlerError;

/// A handler whose behaviour the stream's name decides: `fails-..`, `panics-..`, `hangs-..`,
/// `discards-..`, `waits-..` (until it is released); any other succeeds.
#[derive(Clone, Debug)]
pub struct Script(Arc<State>);

#[derive(Debug)]
struct State {
    runs: Mutex<Vec<Value>>,
    begun: Semaphore,
    go_on: Semaphore,
}

impl Script {
    /// A script that has not been run.
    pub fn new() -> Self {
        Self(Arc::new(State {
            runs: Mutex::default(),
            begun: Semaphore::new(0),
            go_on: Semaphore::new(0),
        }))
    }

    /// The handler.
    pub async fn run(self, callback: RecordCallback) -> Result<(), HandlerError> {
        self.0
            .runs
            .lock()
            .unwrap()
            .push(serde_json::to_value(&callback)?);
        self.0.begun.add_permits(1);
        match callback.stream_alias().split('-').next() {
            Some("fails") => Err(HandlerError::retry("as the name asks")),
            Some("panics") => panic!("as the name asks"),
            Some("hangs") => std::future::pending().await,
            Some("discards") => Err(HandlerError::discard("as the name asks")),
            Some("waits") => {
                self.0.go_on.acquire().await?.forget();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Waits until one more run has begun.
    pub async fn has_begun(&self) {
        self.0.begun.acquire().await.unwrap().forget();
    }

    /// Lets one run that waits go on.
    pub fn go_on(&self) {
        self.0.go_on.add_permits(1);
    }

    /// The callbacks of all runs since the last call.
    pub fn take_runs(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.runs.lock().unwrap())
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}
