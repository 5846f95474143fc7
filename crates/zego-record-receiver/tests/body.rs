//! Reading a body: limit, deadline, and what the framing may look like.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::VecDeque;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use common::{builder, receiver};
use zego_record_core::Verdict;
use zego_record_receiver::Receiver;

async fn read(
    receiver: &Receiver,
    declared: Option<u64>,
    chunks: &[&[u8]],
) -> Result<Bytes, Verdict> {
    let mut chunks: VecDeque<_> = chunks
        .iter()
        .map(|chunk| Bytes::copy_from_slice(chunk))
        .collect();
    let next = |_: &mut std::task::Context<'_>| Poll::Ready(chunks.pop_front().map(Ok::<_, ()>));
    receiver
        .read_body(declared, next)
        .await
        .map_err(|answer| answer.kind())
}

#[tokio::test]
async fn a_body_comes_together_from_its_chunks() {
    let receiver = receiver();
    let rows: [&[&[u8]]; 5] = [
        &[],
        &[b""],
        &[b"abc"],
        &[b"", b"a", b"", b"bc", b""],
        &[b"a", b"b", b"c"],
    ];
    for chunks in rows {
        let whole = chunks.concat();
        assert_eq!(
            read(&receiver, None, chunks).await.unwrap(),
            whole,
            "{chunks:?}"
        );
        assert_eq!(
            read(&receiver, Some(whole.len() as u64), chunks)
                .await
                .unwrap(),
            whole
        );
    }
}

#[tokio::test]
async fn the_limit_is_inclusive_and_what_is_beyond_is_not_read() {
    let receiver = builder().body_limit(4).build().unwrap();
    assert_eq!(
        read(&receiver, Some(4), &[b"ab", b"cd"]).await.unwrap(),
        "abcd"
    );
    assert_eq!(
        read(&receiver, None, &[b"ab", b"cde"]).await,
        Err(Verdict::BodyTooLarge)
    );
    assert_eq!(
        read(&receiver, None, &[b"abcde"]).await,
        Err(Verdict::BodyTooLarge)
    );
    let unread = receiver.read_body(Some(5), |_| -> Poll<Option<Result<Bytes, ()>>> {
        panic!("was read")
    });
    assert_eq!(
        unread.await.map_err(|answer| answer.kind()),
        Err(Verdict::BodyTooLarge)
    );
    assert_eq!(
        read(&receiver, Some(u64::MAX), &[]).await,
        Err(Verdict::BodyTooLarge)
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up_after_the_deadline() {
    let receiver = receiver();
    let begin = tokio::time::Instant::now();
    let stalled = receiver.read_body(None, |_| Poll::<Option<Result<Bytes, ()>>>::Pending);
    assert_eq!(
        stalled.await.map_err(|answer| answer.kind()),
        Err(Verdict::BodyTimeout)
    );
    assert_eq!(begin.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn a_body_of_endless_empty_chunks_is_given_up_as_well() {
    let receiver = builder()
        .body_deadline(Duration::from_millis(20))
        .build()
        .unwrap();
    let endless = receiver.read_body(None, |_| Poll::Ready(Some(Ok::<_, ()>(Bytes::new()))));
    assert_eq!(
        endless.await.map_err(|answer| answer.kind()),
        Err(Verdict::BodyTimeout)
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_malformed() {
    let receiver = receiver();
    let broken = receiver.read_body(None, |_| Poll::Ready(Some(Err::<Bytes, _>(()))));
    assert_eq!(
        broken.await.map_err(|answer| answer.kind()),
        Err(Verdict::Malformed)
    );
}
