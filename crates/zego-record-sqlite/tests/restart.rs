//! A receiver, and another one on the same file after it is gone.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, SystemTime};

use common::Directory;
use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verified, Verifier};
use zego_record_receiver::{HandlerError, Outcome, Receiver};
use zego_record_sqlite::SqliteStore;
use zego_record_testkit::RequestBuilder;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn receiver(directory: &Directory) -> Receiver {
    let secret = CallbackSecret::new(SECRET).unwrap();
    let verifier = Verifier::builder().secret(secret).build().unwrap();
    let store = SqliteStore::open(directory.database()).unwrap();
    Receiver::builder(verifier)
        .store(store.clone())
        .guard(store)
        .store_timeout(Duration::from_secs(60))
        .build()
        .unwrap()
}

async fn receive(receiver: &Receiver, body: &[u8]) -> Verdict {
    match receiver.pipeline().verify(body).await {
        Ok(Verified::Record(callback)) => {
            let run = |_| async { Outcome::from(Ok::<(), HandlerError>(())) };
            receiver.pipeline().deliver(callback, run).await.0
        }
        Ok(_) => Verdict::Ignored,
        Err(rejection) => rejection.verdict(),
    }
}

#[tokio::test]
async fn a_restart_forgets_neither_deliveries_nor_signatures() {
    let directory = Directory::new();
    let request = RequestBuilder::new(SECRET, UnixSeconds::from(SystemTime::now()))
        .field("stream_alias", "lesson")
        .field("replay_url", "https://vod.example.com/lesson.mp4")
        .build();
    let forged = request.tampered(|base| base.field("stream_alias", "forged"));
    assert_eq!(forged.signature(), request.signature());

    let first = receiver(&directory);
    assert_eq!(receive(&first, request.body()).await, Verdict::Handled);
    first.shutdown().await;
    drop(first);

    let second = receiver(&directory);
    assert_eq!(receive(&second, request.body()).await, Verdict::Duplicate);
    let verdict = receive(&second, forged.body()).await;
    assert_eq!(verdict, Verdict::SignatureReused);
}
