//! What the tests of the inbox share.

#![allow(dead_code)] // Each test file takes its part of it.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zego_record_core::RecordCallback;
use zego_record_inbox::{
    Details, EntryState, InboxStore, MemoryInbox, Schedule, Worker, WorkerBuilder,
};
use zego_record_receiver::{Accept, Accepted, NewCallback};
use zego_record_testkit::CallbackBuilder;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

pub(crate) fn new_inbox() -> Arc<MemoryInbox> {
    Arc::new(MemoryInbox::new())
}

pub(crate) fn callback(stream: &str) -> RecordCallback {
    CallbackBuilder::new()
        .vendor(None)
        .field("stream_alias", stream)
        .field(
            "replay_url",
            format!("https://vod.example.com/{stream}.mp4"),
        )
        .build()
}

/// Accepts a callback about the stream `name`.
pub(crate) async fn accept(inbox: &impl Accept, stream: &str) -> RecordCallback {
    let callback = callback(stream);
    let accepted = inbox.accept(&NewCallback::new(&callback)).await.unwrap();
    assert_eq!(accepted, Accepted::New);
    callback
}

/// Retries after 10 s and after a minute, exactly.
pub(crate) fn worker(inbox: &Arc<MemoryInbox>) -> WorkerBuilder {
    let schedule = Schedule::new([10 * SECOND, MINUTE]).unwrap();
    Worker::builder(Arc::clone(inbox)).schedule(schedule.without_jitter())
}

pub(crate) async fn details(inbox: &impl InboxStore, callback: &RecordCallback) -> Details {
    let details = inbox.get(&callback.delivery_key()).await.unwrap();
    details.expect("it is in the inbox")
}

pub(crate) async fn state(inbox: &impl InboxStore, callback: &RecordCallback) -> EntryState {
    details(inbox, callback).await.entry.state
}

/// How often a handler was run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Arc<AtomicUsize>);

impl Runs {
    /// Which run this is, from 1.
    pub(crate) fn count(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
