//! Each kind of line in the log has a limit of its own: a flood of one kind hides no line of another.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/listener.rs"]
mod listener;

use common::{Runs, SECRET, builder, now, receive, receive_counted, request, verify};
use listener::Listener;
use zego_record_core::Verdict;
use zego_record_receiver::Receiver;
use zego_record_testkit::{ManualClock, RequestBuilder};

/// More than any limit lets through in a second.
const FLOOD: usize = 200;

/// The clock stands still, so that all of a test happens in one second.
fn receiver() -> Receiver {
    builder().clock(ManualClock::new(now())).build().unwrap()
}

#[tokio::test]
async fn a_flood_of_unsigned_requests_hides_no_rejection_of_a_signed_one() {
    let listener = Listener::listen();
    let receiver = receiver();
    for _ in 0..FLOOD {
        let rejected = verify(&receiver, b"event=record&stream_alias=a").await;
        assert_eq!(rejected.err(), Some(Verdict::Unsigned));
    }
    let stale = RequestBuilder::new(SECRET, now()).age(400).build();
    let rejected = verify(&receiver, stale.body()).await;
    assert_eq!(rejected.err(), Some(Verdict::Stale));
    let lines = listener.take_events("rejected a signed request: ");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].field("verdict"), Some("stale"));
    assert_eq!(lines[0].field("suppressed"), Some("0"));
    assert_eq!(listener.take_events("rejected: ").len(), 10);
}

#[tokio::test]
async fn a_flood_of_duplicates_or_successes_hides_no_handler_that_fails() {
    let listener = Listener::listen();
    let (receiver, runs) = (receiver(), Runs::default());
    for number in 0..FLOOD {
        let callback = request(&format!("lesson-{number}"));
        for _ in 0..2 {
            receive_counted(&receiver, &callback, &runs).await;
        }
    }
    let verdict = receive(&receiver, &request("a"), |_| async { Err("no".into()) }).await;
    assert_eq!(verdict, Verdict::HandlerFailed);
    assert_eq!(listener.take_events("the handler failed").len(), 1);
    assert_eq!(listener.take_events("handled").len(), 100);
    assert_eq!(listener.take_events("a duplicate").len(), 10);
}
