//! From a request to a verified callback.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::{Method, header};
use actix_web::web::Bytes;
use futures_core::Stream;
use zego_record_core::{Rejection, Verdict, Verified};
use zego_record_receiver::{InboxReceiver, Receiver};

/// Reads and verifies a request. The future holds no clone of the request: actix panics if there is one
/// when the request is passed on.
pub(crate) fn receive(
    receiver: &Receiver,
    request: &HttpRequest,
    payload: Payload,
) -> impl Future<Output = Result<(Bytes, Verified), Rejection>> + use<> {
    let receiver = receiver.clone();
    let (method, declared) = head(request);
    async move {
        receiver
            .pipeline()
            .receive(method.as_str(), declared, Chunks(payload))
            .await
    }
}

/// Reads and verifies a request, and commits the callback to an inbox.
pub(crate) fn accept(
    receiver: &InboxReceiver,
    request: &HttpRequest,
    payload: Payload,
) -> impl Future<Output = Verdict> + use<> {
    let receiver = receiver.clone();
    let (method, declared) = head(request);
    async move {
        receiver
            .receive(method.as_str(), declared, Chunks(payload))
            .await
    }
}

fn head(request: &HttpRequest) -> (Method, Option<u64>) {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    (request.method().clone(), declared)
}

/// The payload as the stream of this version of the trait.
struct Chunks(Payload);

impl Stream for Chunks {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(context)
    }
}
