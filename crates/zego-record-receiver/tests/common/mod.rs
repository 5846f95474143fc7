//! What the tests of the receiver share.

#![allow(dead_code)] // Each test file takes its part of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;
use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verifier};
use zego_record_receiver::{Answer, Delivery, HandlerError, Receiver, ReceiverBuilder};
use zego_record_testkit::{RequestBuilder, SignedRequest};

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn builder() -> ReceiverBuilder {
    let secret = CallbackSecret::new(SECRET).unwrap();
    Receiver::builder(Verifier::builder().secret(secret).build().unwrap())
}

pub(crate) fn receiver() -> Receiver {
    builder().build().unwrap()
}

pub(crate) fn now() -> UnixSeconds {
    SystemTime::now().into()
}

/// A signed request about the stream `name`; equal names give equal content, under a nonce of their own.
pub(crate) fn request(name: &str) -> SignedRequest {
    RequestBuilder::new(SECRET, now())
        .field("stream_alias", name)
        .field("replay_url", format!("https://vod.example.com/{name}.mp4"))
        .field("extra_params", "{}")
        .build()
}

/// All the way, with a handler.
pub(crate) async fn receive<H, F>(
    receiver: &Receiver,
    request: &SignedRequest,
    handler: H,
) -> Verdict
where
    H: FnOnce(Delivery) -> F + Send + 'static,
    F: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    match receiver.admit(request.body()).await {
        Ok(admitted) => receiver.deliver(admitted, handler).await.0.kind(),
        Err(answer) => answer.kind(),
    }
}

/// All the way, with a handler that succeeds and counts.
pub(crate) async fn receive_counted(
    receiver: &Receiver,
    request: &SignedRequest,
    runs: &Runs,
) -> Verdict {
    let runs = runs.clone();
    receive(receiver, request, move |_| async move {
        runs.count();
        Ok(())
    })
    .await
}

pub(crate) fn kind(result: Result<impl Sized, Answer>) -> Option<Verdict> {
    result.err().map(Answer::kind)
}

/// How often a handler was run.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<AtomicUsize>);

impl Runs {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A handler that says when it has begun and goes on when it is told to.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) begun: Arc<Semaphore>,
    pub(crate) go_on: Arc<Semaphore>,
}

impl Held {
    pub(crate) fn new() -> Self {
        Self {
            begun: Arc::new(Semaphore::new(0)),
            go_on: Arc::new(Semaphore::new(0)),
        }
    }

    pub(crate) async fn run(self, _: Delivery) -> Result<(), HandlerError> {
        self.begun.add_permits(1);
        self.go_on.acquire().await?.forget();
        Ok(())
    }

    /// Waits for it, but not for ever: a handler that never begins is a failed test.
    pub(crate) async fn has_begun(&self) {
        let begun = tokio::time::timeout(Duration::from_secs(10), self.begun.acquire());
        begun.await.unwrap().unwrap().forget();
    }

    pub(crate) fn go_on(&self) {
        self.go_on.add_permits(1);
    }
}
