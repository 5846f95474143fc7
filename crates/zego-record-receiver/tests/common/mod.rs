//! What the tests of the receiver share.

#![allow(dead_code, unused_imports)] // Each test file uses a part of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use zego_record_core::{RecordCallback, Verdict, Verified};
use zego_record_receiver::{
    Binding, BoxFuture, Delivery, HandlerError, Outcome, Receiver, ReplayCheck, ReplayGuard,
    StoreError, StoreErrorKind,
};
use zego_record_testkit::{SignedRequest, fixtures};

pub(crate) use zego_record_testkit::fixtures::{Runs, SECRET, now, receiver as builder};

pub(crate) fn receiver() -> Receiver {
    builder().build().unwrap()
}

/// A signed request about the stream `name`; equal names give equal content, under a nonce of their own.
pub(crate) fn request(name: &str) -> SignedRequest {
    fixtures::request(name).build()
}

/// The whole pipeline, with a handler.
pub(crate) async fn receive<H, F>(
    receiver: &Receiver,
    request: &SignedRequest,
    handler: H,
) -> Verdict
where
    H: FnOnce(Delivery) -> F + Send + 'static,
    F: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    match verify(receiver, request.body()).await {
        Ok(callback) => {
            let run = |delivery| async move { Outcome::from(handler(delivery).await) };
            receiver.pipeline().deliver(callback, run).await.0
        }
        Err(verdict) => verdict,
    }
}

/// The whole pipeline, with a handler that succeeds and counts.
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

/// The verification alone: the callback, or the verdict that ends the request here.
pub(crate) async fn verify(receiver: &Receiver, body: &[u8]) -> Result<RecordCallback, Verdict> {
    match receiver.pipeline().verify(body).await {
        Ok(Verified::Record(callback)) => Ok(callback),
        Ok(_) => Err(Verdict::Ignored),
        Err(rejection) => Err(rejection.verdict()),
    }
}

/// Lets other tasks go on until something has happened, but not for ever.
pub(crate) async fn until(mut has_happened: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if has_happened() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it does not happen");
}

/// A handler that signals when it has begun, and goes on when the test lets it.
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

    /// Receives a request in a task of its own, and waits until its handler has begun.
    pub(crate) async fn begin(
        &self,
        receiver: &Receiver,
        request: SignedRequest,
    ) -> JoinHandle<Verdict> {
        let (receiver, held) = (receiver.clone(), self.clone());
        let running = tokio::spawn(async move {
            receive(&receiver, &request, |delivery| held.run(delivery)).await
        });
        self.has_begun().await;
        running
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

/// A guard that cannot be reached, so that the receiver falls back on its own.
#[derive(Debug)]
pub(crate) struct UnreachableGuard {
    pub(crate) evictions: u64,
}

impl ReplayGuard for UnreachableGuard {
    fn bind<'a>(&'a self, _: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        let error = StoreError::new(StoreErrorKind::Unavailable, "the line is cut");
        Box::pin(std::future::ready(Err(error)))
    }

    fn purge(&self, _: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(std::future::ready(Ok(0)))
    }

    fn evictions(&self) -> u64 {
        self.evictions
    }
}
