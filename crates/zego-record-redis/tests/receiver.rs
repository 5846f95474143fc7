//! A receiver whose store and guard are in Redis, and one that is started after it.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use common::proxy::{Fault, Proxy};
use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verified, Verifier};
use zego_record_receiver::{HandlerError, Outcome, Receiver};
use zego_record_redis::RedisStore;
use zego_record_test_servers::Redis;
use zego_record_testkit::RequestBuilder;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_second_receiver_knows_what_the_first_has_handled() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let prefix = server.new_prefix();
    let runs = Arc::new(AtomicU32::new(0));
    let now = UnixSeconds::from(SystemTime::now());
    let request = RequestBuilder::new(SECRET, now)
        .field("stream_alias", "lesson-7")
        .build();
    let forged = request.tampered(|builder| builder.field("stream_alias", "lesson-8"));
    let again = request.resigned(UnixSeconds::from(SystemTime::now()));

    let first = open(server, &prefix).await;
    assert_eq!(
        receive(&first, request.body(), &runs).await,
        Verdict::Handled
    );
    first.shutdown().await;
    drop(first);

    let second = open(server, &prefix).await;
    for (body, expected) in [
        (request.body(), Verdict::Duplicate),
        (again.body(), Verdict::Duplicate),
        (forged.body(), Verdict::SignatureReused),
        (request.body(), Verdict::Duplicate),
    ] {
        assert_eq!(receive(&second, body, &runs).await, expected);
    }
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert_eq!(Verdict::Duplicate.to_string(), "duplicate");
    assert_eq!(Verdict::SignatureReused.to_string(), "signature_reused");
}

/// Answers are lost before the request, and again while the handler runs, each time on the connection
/// that is open then.
#[tokio::test]
async fn a_receiver_finds_out_what_became_of_a_step_whose_answer_was_lost() {
    let Some(server) = Redis::shared() else {
        return;
    };
    let proxy = Arc::new(Proxy::start(server).await);
    let store = common::builder(&server.new_prefix()).timeout(Duration::from_secs(2));
    let store = store.connect(&proxy.url(server)).await.unwrap();
    let receiver = receiver(store);
    let now = UnixSeconds::from(SystemTime::now());
    let runs = Arc::new(AtomicU32::new(0));
    for (stream, before, during) in [
        ("a", Fault::None, Fault::None),
        ("b", Fault::LoseAnswers, Fault::None),
        ("c", Fault::None, Fault::LoseAnswers),
        ("d", Fault::CutAnswers, Fault::CutAnswers),
        ("e", Fault::LoseAnswers, Fault::LoseAnswers),
    ] {
        let request = RequestBuilder::new(SECRET, now).field("stream_alias", stream);
        let request = request.build();
        proxy.set(before);
        for expected in [Verdict::Handled, Verdict::Duplicate] {
            let pipeline = receiver.pipeline();
            let Ok(Verified::Record(callback)) = pipeline.verify(request.body()).await else {
                panic!("{stream} was not verified")
            };
            let (runs, proxy) = (Arc::clone(&runs), Arc::clone(&proxy));
            let run = move |_| async move {
                runs.fetch_add(1, Ordering::Relaxed);
                proxy.set(during);
                Outcome::from(Ok::<(), HandlerError>(()))
            };
            let verdict = pipeline.deliver(callback, run).await.0;
            assert_eq!(verdict, expected, "{stream}");
        }
    }
    assert_eq!(runs.load(Ordering::Relaxed), 5);
    assert_eq!(
        proxy.accepted(),
        7,
        "one connection, and one for each fault"
    );
}

/// A receiver with a connection of its own.
async fn open(server: &Redis, prefix: &str) -> Receiver {
    receiver(common::open(server, prefix).await)
}

fn receiver(store: RedisStore) -> Receiver {
    let verifier = Verifier::builder()
        .secret(CallbackSecret::new(SECRET).unwrap())
        .build()
        .unwrap();
    let receiver = Receiver::builder(verifier)
        .store(store.clone())
        .guard(store)
        .store_timeout(Duration::from_secs(30));
    receiver.build().unwrap()
}

async fn receive(receiver: &Receiver, body: &[u8], runs: &Arc<AtomicU32>) -> Verdict {
    let pipeline = receiver.pipeline();
    match pipeline.verify(body).await {
        Ok(Verified::Record(callback)) => {
            let runs = Arc::clone(runs);
            let run = |_| async move {
                runs.fetch_add(1, Ordering::Relaxed);
                Outcome::from(Ok::<(), HandlerError>(()))
            };
            pipeline.deliver(callback, run).await.0
        }
        Ok(other) => panic!("{other:?}"),
        Err(rejection) => rejection.verdict(),
    }
}
