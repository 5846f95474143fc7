//! The suite accepts what is right, and names the promise that a broken inbox breaks.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use zego_record_core::UnixSeconds;
use zego_record_inbox::MemoryInbox;
use zego_record_testkit::ManualClock;
use zego_record_testkit::inboxes::assert_inbox_conformant;
use zego_record_testkit::stores::assert_guard_conformant_across_handles;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_inbox_conforms() {
    let clock = ManualClock::new(UnixSeconds::new(1_760_001_900));
    let inbox = Arc::new(MemoryInbox::new().with_clock(clock.clone()));
    let open = async || Arc::clone(&inbox);
    for _ in 0..3 {
        assert_inbox_conformant(open, async |time| clock.advance(time)).await;
        assert_guard_conformant_across_handles(open, async |time| clock.advance(time)).await;
    }
}
