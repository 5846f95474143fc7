//! Reads a body under a limit and a deadline.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_core::Stream;
use tokio::time::Instant;
use zego_record_core::Rejection;

/// The limits of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// In bytes.
    pub(crate) size: usize,
    pub(crate) deadline: Duration,
}

pub(super) async fn read<B: Buf, E>(
    declared: Option<u64>,
    body: impl Stream<Item = Result<B, E>>,
    limits: BodyLimits,
) -> Result<Bytes, Rejection> {
    if declared.is_some_and(|length| length > limits.size as u64) {
        return Err(Rejection::body_too_large(limits.size));
    }
    let began = Instant::now();
    let timeout = || Rejection::body_timeout(limits.deadline);
    let collect = async {
        let mut stream = pin!(body);
        let mut collected = Collected::default();
        while let Some(chunk) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            collected.push(
                chunk.map_err(|_| Rejection::body_incomplete())?,
                limits.size,
            )?;
            // A peer whose chunks are always ready keeps the timer from being looked at.
            if began.elapsed() > limits.deadline {
                return Err(timeout());
            }
            tokio::task::consume_budget().await;
        }
        Ok(collected.into_bytes())
    };
    tokio::time::timeout(limits.deadline, collect)
        .await
        .unwrap_or_else(|_| Err(timeout()))
}

/// Most bodies are one chunk, which is kept as it is.
#[derive(Default)]
struct Collected {
    first: Bytes,
    rest: Option<BytesMut>,
}

impl Collected {
    fn push(&mut self, mut chunk: impl Buf, limit: usize) -> Result<(), Rejection> {
        let length = self.rest.as_ref().map_or(self.first.len(), BytesMut::len);
        if chunk.remaining() > limit - length {
            return Err(Rejection::body_too_large(limit));
        }
        match &mut self.rest {
            Some(rest) => rest.put(chunk),
            None if self.first.is_empty() => self.first = chunk.copy_to_bytes(chunk.remaining()),
            None => {
                let mut rest = BytesMut::from(std::mem::take(&mut self.first));
                rest.put(chunk);
                self.rest = Some(rest);
            }
        }
        Ok(())
    }

    fn into_bytes(self) -> Bytes {
        self.rest.map_or(self.first, BytesMut::freeze)
    }
}
