//! From a request to a verified callback.

use std::pin::pin;

use actix_web::HttpRequest;
use actix_web::body::{BodyStream, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::web::Bytes;
use zego_record_receiver::{Admitted, Answer, Receiver};

/// Reads and verifies a request. The future has taken from the request what it needs: actix panics if
/// somebody else holds a request that is handed on.
pub(crate) fn admit(
    receiver: &Receiver,
    request: &HttpRequest,
    payload: Payload,
) -> impl Future<Output = Result<(Bytes, Admitted), Answer>> + use<> {
    let receiver = receiver.clone();
    let is_post = request.method() == Method::POST;
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    async move {
        receiver.check_method(is_post)?;
        // A stream and a body are polled alike, and the body's trait is one that actix exports.
        let mut body = pin!(BodyStream::new(payload));
        let body = receiver
            .read_body(announced, |context| body.as_mut().poll_next(context))
            .await?;
        let admitted = receiver.admit(&body).await?;
        Ok((body, admitted))
    }
}
