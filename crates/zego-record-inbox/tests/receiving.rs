//! What a receiver with an inbox answers, and what is in the inbox then.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::new_inbox;
use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verifier};
use zego_record_inbox::{Filter, InboxStore, MemoryInbox};
use zego_record_receiver::{
    Accept, Accepted, Binding, BoxFuture, InboxReceiver, MemoryGuard, MemoryStore, NewCallback,
    Receiver, ReceiverBuilder, ReplayCheck, ReplayGuard, ReplayProtection, StoreError,
    StoreErrorKind,
};
use zego_record_testkit::{RequestBuilder, SignedRequest};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn builder() -> ReceiverBuilder {
    let secret = CallbackSecret::new(SECRET).unwrap();
    Receiver::builder(Verifier::builder().secret(secret).build().unwrap())
}

fn receiver(inbox: &Arc<MemoryInbox>) -> InboxReceiver {
    builder().build_with_inbox(Arc::clone(inbox)).unwrap()
}

fn now() -> UnixSeconds {
    SystemTime::now().into()
}

fn request(stream: &str) -> SignedRequest {
    RequestBuilder::new(SECRET, now())
        .field("stream_alias", stream)
        .build()
}

/// The same signature with other content.
fn forged(genuine: &SignedRequest, stream: &str) -> SignedRequest {
    genuine.tampered(|builder| builder.field("stream_alias", stream))
}

async fn count(inbox: &Arc<MemoryInbox>) -> u64 {
    inbox.count(&Filter::all()).await.unwrap()
}

#[tokio::test]
async fn a_callback_is_in_the_inbox_when_it_is_answered_and_there_once() {
    let inbox = new_inbox();
    let receiver = receiver(&inbox);
    let genuine = request("a");
    assert_eq!(receiver.accept(genuine.body()).await, Verdict::Accepted);
    assert_eq!(receiver.accept(genuine.body()).await, Verdict::Duplicate);
    let retry = genuine.resigned(now());
    assert_eq!(receiver.accept(retry.body()).await, Verdict::Duplicate);
    let entries = inbox.list(&Filter::all(), None, 10).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].stream_alias, "a");
    let details = inbox.get(&entries[0].key).await.unwrap().unwrap();
    assert_eq!(details.callback.restore().unwrap().stream_alias(), "a");
    let counters = receiver.counters();
    assert_eq!(
        (
            counters.answered(Verdict::Accepted),
            counters.answered(Verdict::Duplicate)
        ),
        (1, 2)
    );
    let reply = receiver.reply(Verdict::Accepted);
    assert_eq!((reply.status(), &reply.body()[..]), (200, &b"1"[..]));
}

#[tokio::test]
async fn a_signature_carries_nothing_else_afterwards() {
    for (first, verdict) in [
        (request("a"), Verdict::Accepted),
        (
            RequestBuilder::new(SECRET, now())
                .field("event", "stream_close")
                .build(),
            Verdict::Ignored,
        ),
        (
            RequestBuilder::new(SECRET, now())
                .without("replay_url")
                .build(),
            Verdict::Invalid,
        ),
    ] {
        let inbox = new_inbox();
        let receiver = receiver(&inbox);
        assert_eq!(receiver.accept(first.body()).await, verdict);
        let before = count(&inbox).await;
        let forged = first.tampered(|builder| {
            builder
                .field("event", "record")
                .field("replay_url", "https://evil.example/x.mp4")
        });
        assert_eq!(
            receiver.accept(forged.body()).await,
            Verdict::SignatureReused,
            "{verdict}"
        );
        assert_eq!(count(&inbox).await, before, "{verdict}");
        assert_eq!(receiver.counters().signatures_reused, 1);
    }
}

#[tokio::test]
async fn a_conflict_is_only_counted_where_that_is_wanted() {
    let inbox = new_inbox();
    let observing = builder()
        .guard(ReplayProtection::default().observe_only())
        .build_with_inbox(Arc::clone(&inbox))
        .unwrap();
    let genuine = request("a");
    for request in [&genuine, &forged(&genuine, "b")] {
        assert_eq!(observing.accept(request.body()).await, Verdict::Accepted);
    }
    assert_eq!(observing.counters().signatures_reused, 1);
    let off = builder()
        .guard(ReplayProtection::insecure_off())
        .build_with_inbox(Arc::clone(&inbox))
        .unwrap();
    assert_eq!(
        off.accept(forged(&genuine, "c").body()).await,
        Verdict::Accepted
    );
    assert_eq!(count(&inbox).await, 3);
}

#[tokio::test]
async fn what_is_not_signed_leaves_no_trace() {
    let inbox = new_inbox();
    let receiver = receiver(&inbox);
    for (body, verdict) in [
        (&b"stream_alias=a"[..], Verdict::Unsigned),
        (b"\xff", Verdict::Malformed),
        (
            RequestBuilder::new("another", now()).build().body(),
            Verdict::BadSignature,
        ),
    ] {
        assert_eq!(receiver.accept(body).await, verdict);
    }
    assert_eq!(count(&inbox).await, 0);
}

#[tokio::test]
async fn after_a_shutdown_everything_signed_is_503() {
    let inbox = new_inbox();
    let receiver = receiver(&inbox);
    receiver.shutdown().await;
    assert_eq!(receiver.accept(request("a").body()).await, Verdict::Busy);
    assert_eq!(receiver.accept(b"x=y").await, Verdict::Unsigned);
    assert_eq!(count(&inbox).await, 0);
}

#[tokio::test]
async fn secrets_are_replaced_while_it_runs() {
    let inbox = new_inbox();
    let receiver = receiver(&inbox);
    let secret = CallbackSecret::new("another-secret-of-32-characters.").unwrap();
    let verifier = Verifier::builder().secret(secret).build().unwrap();
    receiver.replace_verifier(verifier).unwrap();
    assert_eq!(
        receiver.accept(request("a").body()).await,
        Verdict::BadSignature
    );
}

#[test]
fn a_store_or_guard_that_would_never_be_used_is_an_error() {
    for (builder, name) in [
        (builder().store(MemoryStore::new()), ".store(..)"),
        (builder().guard(MemoryGuard::new()), ".guard(..)"),
    ] {
        let error = builder
            .build_with_inbox(new_inbox())
            .unwrap_err()
            .to_string();
        assert!(error.contains(name), "{error}");
    }
}

/// An inbox that fails before or after it has committed.
#[derive(Debug)]
struct Failing {
    inbox: Arc<MemoryInbox>,
    failures: AtomicUsize,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Before(StoreErrorKind),
    /// The result of the commit is lost.
    After,
    Panic,
    Hang,
}

impl Failing {
    async fn fail<T>(&self, work: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
        let fails = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .is_ok();
        if !fails {
            return work.await;
        }
        match self.how {
            How::Before(kind) => Err(StoreError::new(kind, "as the test asks for")),
            How::After => {
                work.await?;
                Err(StoreError::new(
                    StoreErrorKind::Timeout,
                    "as the test asks for",
                ))
            }
            How::Panic => panic!("as the test asks for"),
            How::Hang => std::future::pending().await,
        }
    }
}

impl ReplayGuard for Failing {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        Box::pin(self.fail(self.inbox.bind(check)))
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inbox.purge(limit)
    }

    fn evictions(&self) -> u64 {
        0
    }
}

impl Accept for Failing {
    fn accept<'a>(
        &'a self,
        callback: &'a NewCallback,
    ) -> BoxFuture<'a, Result<Accepted, StoreError>> {
        Box::pin(self.fail(self.inbox.accept(callback)))
    }
}

fn failing(failures: usize, how: How) -> (Arc<MemoryInbox>, InboxReceiver) {
    let inbox = new_inbox();
    let failing = Failing {
        inbox: Arc::clone(&inbox),
        failures: AtomicUsize::new(failures),
        how,
    };
    let receiver = builder()
        .store_timeout(Duration::from_millis(200))
        .build_with_inbox(failing)
        .unwrap();
    (inbox, receiver)
}

#[tokio::test(start_paused = true)]
async fn an_inbox_that_is_away_is_503_and_the_retry_finds_out() {
    for how in [
        How::Before(StoreErrorKind::Unavailable),
        How::Before(StoreErrorKind::Config),
        How::After,
        How::Panic,
        How::Hang,
    ] {
        let (inbox, receiver) = failing(3, how);
        let genuine = request("a");
        let first = receiver.accept(genuine.body()).await;
        let retry = receiver.accept(genuine.resigned(now()).body()).await;
        if how == How::Before(StoreErrorKind::Config) {
            // Asking again at once is of no use, so that not all of the failures are spent.
            assert_eq!(
                (first, retry),
                (Verdict::StoreUnavailable, Verdict::StoreUnavailable)
            );
            continue;
        }
        assert_eq!(first, Verdict::StoreUnavailable, "{how:?}");
        let committed = how == How::After;
        let expected = if committed {
            Verdict::Duplicate
        } else {
            Verdict::Accepted
        };
        assert_eq!(retry, expected, "{how:?}");
        assert_eq!(count(&inbox).await, 1);
        assert_eq!(receiver.counters().store_failures, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_failure_is_nobodys_business() {
    let (inbox, receiver) = failing(2, How::After);
    // The commit whose result was lost is found by the next try.
    assert_eq!(
        receiver.accept(request("a").body()).await,
        Verdict::Duplicate
    );
    assert_eq!(count(&inbox).await, 1);
}

#[tokio::test(start_paused = true)]
async fn without_the_replay_check_nothing_is_ignored_with_1() {
    let (_, receiver) = failing(3, How::Before(StoreErrorKind::Unavailable));
    let other = RequestBuilder::new(SECRET, now())
        .field("event", "stream_close")
        .build();
    assert_eq!(
        receiver.accept(other.body()).await,
        Verdict::StoreUnavailable
    );
    assert_eq!(receiver.accept(other.body()).await, Verdict::Ignored);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_could_not_be_accepted_and_never_comes_again_is_reported() {
    let inbox = new_inbox();
    let failing = Failing {
        inbox: Arc::clone(&inbox),
        failures: AtomicUsize::new(usize::MAX),
        how: How::Before(StoreErrorKind::Unavailable),
    };
    let lost = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lost);
    let receiver = builder()
        .on_abandoned(move |abandoned| {
            let stream = abandoned.callback().stream_alias().to_owned();
            seen.lock().unwrap().push((stream, abandoned.verdict()));
        })
        .build_with_inbox(failing)
        .unwrap();
    receiver.accept(request("a").body()).await;
    tokio::time::sleep(Duration::from_secs(65)).await;
    let expected = [("a".to_owned(), Verdict::StoreUnavailable)];
    assert_eq!(*lost.lock().unwrap(), expected);
}
