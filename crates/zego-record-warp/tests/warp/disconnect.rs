//! A client that goes away in mid-handler: hyper drops the request's future, and so does this.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::Notify;
use zego_record_core::Verdict;
use zego_record_testkit::fixtures::{Runs, TestResponse};
use zego_record_warp::{HandlerError, RecordCallback, record};

use crate::support::{post, receiver, signed};

#[tokio::test]
async fn the_handler_runs_on() {
    let (began, may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (runs, effects) = (Runs::default(), Runs::default());
    let handler = {
        let (began, may_end) = (began.clone(), may_end.clone());
        let (runs, effects) = (runs.clone(), effects.clone());
        move |_: RecordCallback| {
            let (began, may_end) = (began.clone(), may_end.clone());
            let (runs, effects) = (runs.clone(), effects.clone());
            async move {
                runs.count();
                began.notify_one();
                may_end.notified().await;
                effects.count();
                Ok::<_, HandlerError>(())
            }
        }
    };
    let filter = record(receiver(), handler);
    {
        let mut call = pin!(post(signed("lesson-7")).reply(&filter));
        tokio::select! {
            _ = call.as_mut() => panic!("it was answered before the handler has ended"),
            () = began.notified() => {}
        }
    }
    let meanwhile = post(signed("lesson-7")).reply(&filter).await;
    assert_eq!(
        TestResponse::from(meanwhile),
        TestResponse::expected(Verdict::InProgress)
    );

    may_end.notify_one();
    let retry = loop {
        let answer = TestResponse::from(post(signed("lesson-7")).reply(&filter).await);
        if answer.verdict != Some(Verdict::InProgress) {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(retry, TestResponse::expected(Verdict::Duplicate));
    assert_eq!((runs.get(), effects.get()), (1, 1));
}
