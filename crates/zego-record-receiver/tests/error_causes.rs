//! Errors whose causes have no end, wherever an error is displayed or logged.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/listener.rs"]
mod listener;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{receive, receiver, request};
use listener::Listener;
use zego_record_core::Verdict;
use zego_record_receiver::HandlerError;

/// More often than any of them is displayed by a program that stops somewhere.
const ENDLESS: usize = 1_000;

/// An error that is its own cause.
#[derive(Clone, Debug, Default)]
struct Cyclic(Arc<AtomicUsize>);

impl fmt::Display for Cyclic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let displayed = self.0.fetch_add(1, Ordering::SeqCst);
        assert!(displayed < ENDLESS, "it is displayed without end");
        f.write_str("again")
    }
}

impl Error for Cyclic {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

#[test]
fn an_error_that_is_its_own_cause_is_displayed_with_sixteen_causes() {
    let text = HandlerError::retry(Cyclic::default()).to_string();
    assert_eq!(text.split(": ").count(), 1 + 16);
}

#[tokio::test]
async fn an_error_that_is_its_own_cause_is_logged_and_its_delivery_is_settled() {
    let listener = Listener::listen();
    let (receiver, callback) = (receiver(), request("a"));
    let verdict = receive(&receiver, &callback, |_| async {
        Err(HandlerError::retry(Cyclic::default()))
    });
    assert_eq!(verdict.await, Verdict::HandlerFailed);
    let failed = listener.event("the handler failed");
    assert!(failed.field("error").unwrap().starts_with("again: again"));
    let verdict = receive(&receiver, &callback, |delivery| async move {
        assert_eq!(delivery.attempt(), 2);
        Ok(())
    });
    assert_eq!(verdict.await, Verdict::Handled);
}
