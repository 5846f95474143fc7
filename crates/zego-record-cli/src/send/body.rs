//! A request body that travels as slowly, and in as many pieces, as the plan wants.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use super::plan::Pace;

/// A slow body takes two seconds, well below the five after which a receiver gives up.
const SLOW_PIECES: usize = 8;
const SLOW_PAUSE: Duration = Duration::from_millis(250);
const CHUNKS: usize = 4;

#[derive(Debug)]
pub(super) struct PacedBody {
    pieces: VecDeque<Bytes>,
    left: usize,
    pace: Pace,
    pause: Option<Pin<Box<Sleep>>>,
    /// Told when the last piece was taken.
    written: Option<oneshot::Sender<()>>,
}

impl PacedBody {
    pub(super) fn new(body: Bytes, pace: Pace, written: oneshot::Sender<()>) -> Self {
        let count = match pace {
            Pace::Whole => 1,
            Pace::Chunked => CHUNKS,
            Pace::Slow | Pace::SlowChunked => SLOW_PIECES,
        };
        Self {
            left: body.len(),
            pieces: split(body, count),
            pace,
            pause: None,
            written: Some(written),
        }
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.pace.is_slow() && !self.pieces.is_empty() {
            let pause = self
                .pause
                .get_or_insert_with(|| Box::pin(sleep(SLOW_PAUSE)));
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        let piece = self.pieces.pop_front();
        if self.pieces.is_empty()
            && let Some(written) = self.written.take()
        {
            // Nobody may be listening.
            let _ = written.send(());
        }
        self.left -= piece.as_ref().map_or(0, Bytes::len);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    /// A length that is known is announced as the Content-Length, any other body is chunked.
    fn size_hint(&self) -> SizeHint {
        if self.pace.is_chunked() {
            SizeHint::default()
        } else {
            SizeHint::with_exact(self.left as u64)
        }
    }
}

fn split(mut body: Bytes, count: usize) -> VecDeque<Bytes> {
    let length = body.len().div_ceil(count).max(1);
    let mut pieces = VecDeque::with_capacity(count);
    while !body.is_empty() {
        pieces.push_back(body.split_to(length.min(body.len())));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_pace_brings_the_same_bytes_and_then_says_so() {
        for (pace, pieces, milliseconds, announced) in [
            (Pace::Whole, 1, 0, Some(101)),
            (Pace::Chunked, 4, 0, None),
            (Pace::Slow, 8, 2_000, Some(101)),
            (Pace::SlowChunked, 8, 2_000, None),
        ] {
            let bytes = Bytes::from((0..101).collect::<Vec<u8>>());
            let (sender, mut written) = oneshot::channel();
            let started = Instant::now();
            let mut body = PacedBody::new(bytes.clone(), pace, sender);
            assert_eq!(body.size_hint().exact(), announced, "{pace:?}");
            let (mut all, mut count) = (Vec::new(), 0);
            while let Some(Ok(frame)) = body.frame().await {
                assert_eq!(
                    written.try_recv().is_ok(),
                    body.is_end_stream() && count + 1 == pieces
                );
                all.extend(frame.into_data().unwrap());
                count += 1;
            }
            assert_eq!((all, count), (bytes.to_vec(), pieces), "{pace:?}");
            assert_eq!(
                started.elapsed(),
                Duration::from_millis(milliseconds),
                "{pace:?}"
            );
        }
    }
}
