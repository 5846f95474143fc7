//! From a request to a verified callback.

use std::pin::pin;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::{Method, Request};
use http_body::Body;
use zego_record_receiver::{Admitted, Answer, Receiver};

/// Reads and verifies a request: the first half of the way, for adapters of `http` frameworks. Comes
/// back with the request, whose body was read.
///
/// # Errors
///
/// The answer to a request that goes no further.
pub async fn admit<B: Body>(
    receiver: &Receiver,
    request: Request<B>,
) -> Result<(Request<Bytes>, Admitted), Answer> {
    let (parts, body) = request.into_parts();
    receiver.check_method(parts.method == Method::POST)?;
    let body = read_body(receiver, body).await?;
    let admitted = receiver.admit(&body).await?;
    Ok((Request::from_parts(parts, body), admitted))
}

async fn read_body<B: Body>(receiver: &Receiver, body: B) -> Result<Bytes, Answer> {
    let announced = body.size_hint().lower();
    let mut body = pin!(body);
    receiver
        .read_body(Some(announced), |context| {
            loop {
                match ready!(body.as_mut().poll_frame(context)) {
                    None => return Poll::Ready(None),
                    // What went wrong is the sender's connection; the error need not even be Send.
                    Some(Err(_)) => return Poll::Ready(Some(Err(()))),
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(Ok(data)));
                        }
                        // Trailers say nothing to us.
                    }
                }
            }
        })
        .await
}
