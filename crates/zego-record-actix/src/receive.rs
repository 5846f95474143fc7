//! From a request to a verified callback.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_core::Stream;
use zego_record_core::{Rejection, Verified};
use zego_record_receiver::Receiver;

/// Reads and verifies a request. The future has taken from the request what it needs: actix panics if
/// anything else holds a request that is passed on.
pub(crate) fn receive(
    receiver: &Receiver,
    request: &HttpRequest,
    payload: Payload,
) -> impl Future<Output = Result<(Bytes, Verified), Rejection>> + use<> {
    let receiver = receiver.clone();
    let method = request.method().clone();
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    async move {
        receiver
            .pipeline()
            .receive(method.as_str(), declared, Chunks(payload))
            .await
    }
}

/// The payload as the stream of this version of the trait.
struct Chunks(Payload);

impl Stream for Chunks {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(context)
    }
}
