//! From a request to a verified callback.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::Request;
use http_body::Body;
use pin_project_lite::pin_project;
use zego_record_core::{Rejection, Verdict, Verified};
use zego_record_receiver::{InboxReceiver, Receiver};

/// Reads and verifies a request, for adapters to frameworks that use `http` types. Returns the request
/// with the body that was read.
///
/// # Errors
///
/// If the request is rejected. The receiver has logged and counted it.
pub async fn receive<B: Body>(
    receiver: &Receiver,
    request: Request<B>,
) -> Result<(Request<Bytes>, Verified), Rejection> {
    let (parts, body) = request.into_parts();
    let declared = Some(body.size_hint().lower());
    let (body, verified) = receiver
        .pipeline()
        .receive(parts.method.as_str(), declared, Data { body })
        .await?;
    Ok((Request::from_parts(parts, body), verified))
}

/// Reads a request, verifies it and commits the callback to an inbox, for adapters to frameworks that use
/// `http` types. Returns how it is to be answered.
pub async fn accept<B: Body>(receiver: &InboxReceiver, request: Request<B>) -> Verdict {
    let (parts, body) = request.into_parts();
    let declared = Some(body.size_hint().lower());
    receiver
        .receive(parts.method.as_str(), declared, Data { body })
        .await
}

pin_project! {
    /// The data of a body. Its trailers are of no use here, and what went wrong on the sender's
    /// connection need not even be `Send`.
    struct Data<B> {
        #[pin]
        body: B,
    }
}

impl<B: Body<Data: Buf>> Stream for Data<B> {
    type Item = Result<B::Data, ()>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.project().body;
        loop {
            match ready!(body.as_mut().poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(_)) => return Poll::Ready(Some(Err(()))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}
