//! Settings at the end of their range, and calls in an order that nobody planned.

mod common;

use std::time::Duration;

use common::{SECOND, accept, new_inbox, state, worker};
use zego_record_core::RecordCallback;
use zego_record_inbox::EntryState;
use zego_record_receiver::HandlerError;

type Outcome = Result<(), HandlerError>;

#[tokio::test(start_paused = true)]
async fn a_time_without_an_end_is_a_long_one() {
    let inbox = new_inbox();
    let recording = accept(&inbox, "a").await;
    let worker = worker(&inbox)
        .handler_timeout(Duration::MAX)
        .lease(Duration::MAX)
        .poll_interval(Duration::MAX)
        .store_timeout(Duration::MAX / 4)
        .shutdown_timeout(Duration::MAX)
        .keep_done(Duration::MAX)
        .build(async |_: RecordCallback| -> Outcome { Ok(()) })
        .unwrap();
    let running = {
        let worker = worker.clone();
        tokio::spawn(async move { worker.run().await })
    };
    while worker.counters().done == 0 && !running.is_finished() {
        tokio::time::sleep(SECOND).await;
    }
    worker.shutdown().await;
    running.await.unwrap();
    assert_eq!(state(&inbox, &recording).await, EntryState::Done);
}
