//! The body of a response.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response of [`RecordService`](crate::RecordService): that of this crate, or that of
    /// the inner service.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        from: From<B>,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum From<B> {
        Us { #[pin] body: Full<Bytes> },
        Inner { #[pin] body: B },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn own(body: Full<Bytes>) -> Self {
        Self {
            from: From::Us { body },
        }
    }

    pub(crate) fn inner(body: B) -> Self {
        Self {
            from: From::Inner { body },
        }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().from.project() {
            Projected::Us { body } => body.poll_frame(context).map_err(|never| match never {}),
            Projected::Inner { body } => body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.from {
            From::Us { body } => body.is_end_stream(),
            From::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.from {
            From::Us { body } => body.size_hint(),
            From::Inner { body } => body.size_hint(),
        }
    }
}
