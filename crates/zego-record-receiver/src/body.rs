//! Reading a body under a limit and a deadline.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use zego_record_core::Rejection;

/// Reads chunks until there are no more. `declared` is the length that the sender has announced; one
/// that is too long is rejected before anything is read.
pub(crate) async fn read<B: Buf, E>(
    declared: Option<u64>,
    mut poll_chunk: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<B, E>>>,
    limit: usize,
    deadline: Duration,
) -> Result<Bytes, Rejection> {
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(Rejection::body_too_large(limit));
    }
    let collect = async {
        let mut body = Collected::default();
        while let Some(chunk) = poll_fn(&mut poll_chunk).await {
            body.push(chunk.map_err(|_| Rejection::body_incomplete())?, limit)?;
            // A peer whose chunks are always ready must not keep the deadline from being looked at.
            tokio::task::consume_budget().await;
        }
        Ok(body.into_bytes())
    };
    tokio::time::timeout(deadline, collect)
        .await
        .unwrap_or(Err(Rejection::body_timeout(deadline)))
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
