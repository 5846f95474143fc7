//! The error of a handler, which the sender never sees, reaches the hook on every mount.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use zego_record_core::Verdict;
use zego_record_tests::{Mount, every_receiver, receiver, request, run_on, send};

every_receiver!(run_on: the_error_of_a_handler_is_reported_and_a_discard_is_one);

async fn the_error_of_a_handler_is_reported_and_a_discard_is_one(mount: &'static Mount) {
    let delivered = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&delivered);
    let receiver = receiver().on_delivery(move |delivered| {
        let error = delivered.error().map(ToString::to_string);
        seen.lock().unwrap().push((delivered.verdict(), error));
    });
    let running = mount.start(receiver.build().unwrap());
    for (stream, status) in [("succeeds", 200), ("discards", 200), ("fails", 500)] {
        let response = send(running.address, request(stream).build().into_http()).await;
        assert_eq!(response.status(), status, "{stream}");
    }
    let reason = || Some("as the name asks".to_owned());
    let (discarded, failed) = match mount.name {
        // The inner service of a bare layer has no error but its response, and discards by a success.
        "tower_layer" => (
            (Verdict::Handled, None),
            (
                Verdict::HandlerFailed,
                Some("the inner service responded with 500 Internal Server Error".to_owned()),
            ),
        ),
        _ => (
            (Verdict::Discarded, reason()),
            (Verdict::HandlerFailed, reason()),
        ),
    };
    assert_eq!(
        *delivered.lock().unwrap(),
        [(Verdict::Handled, None), discarded, failed]
    );
}
