//! Reading a body: limit, deadline, and what the framing may look like.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use common::{builder, receiver};
use futures_core::Stream;
use zego_record_core::Verdict;
use zego_record_receiver::Receiver;

/// A body that answers every poll by a function.
struct Chunks<F>(F);

impl<F, B, E> Stream for Chunks<F>
where
    F: FnMut() -> Poll<Option<Result<B, E>>> + Unpin,
{
    type Item = Result<B, E>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        (self.0)()
    }
}

async fn read_polled(
    receiver: &Receiver,
    declared: Option<u64>,
    next: impl FnMut() -> Poll<Option<Result<Bytes, ()>>> + Unpin,
) -> Result<Bytes, Verdict> {
    let body = receiver.pipeline().read_body(declared, Chunks(next)).await;
    body.map_err(|rejection| rejection.verdict())
}

async fn read(
    receiver: &Receiver,
    declared: Option<u64>,
    chunks: &[&[u8]],
) -> Result<Bytes, Verdict> {
    let mut chunks: VecDeque<_> = chunks
        .iter()
        .map(|chunk| Bytes::copy_from_slice(chunk))
        .collect();
    read_polled(receiver, declared, || {
        Poll::Ready(chunks.pop_front().map(Ok))
    })
    .await
}

#[tokio::test]
async fn a_body_is_joined_from_its_chunks() {
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
async fn the_limit_is_inclusive_and_nothing_beyond_it_is_read() {
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
    let unread = read_polled(&receiver, Some(5), || panic!("was read")).await;
    assert_eq!(unread, Err(Verdict::BodyTooLarge));
    assert_eq!(
        read(&receiver, Some(u64::MAX), &[]).await,
        Err(Verdict::BodyTooLarge)
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_rejected_after_the_deadline() {
    let receiver = receiver();
    let begin = tokio::time::Instant::now();
    let stalled = read_polled(&receiver, None, || Poll::Pending).await;
    assert_eq!(stalled, Err(Verdict::BodyTimeout));
    assert_eq!(begin.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn a_body_of_endless_empty_chunks_is_rejected_after_the_deadline() {
    let receiver = builder()
        .body_deadline(Duration::from_millis(20))
        .build()
        .unwrap();
    let endless = read_polled(&receiver, None, || Poll::Ready(Some(Ok(Bytes::new())))).await;
    assert_eq!(endless, Err(Verdict::BodyTimeout));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_malformed() {
    let receiver = receiver();
    let broken = read_polled(&receiver, None, || Poll::Ready(Some(Err(())))).await;
    assert_eq!(broken, Err(Verdict::Malformed));
}
