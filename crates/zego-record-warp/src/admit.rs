//! From a request to a verified callback.

use std::convert::Infallible;
use std::pin::pin;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};
use warp::{Buf, Filter, Stream};
use zego_record_receiver::{Admitted, Answer, Receiver};

/// Reads and verifies a request. A rejection is extracted as well: as a rejection it would let another
/// route answer.
pub(crate) fn admit(
    receiver: Receiver,
) -> impl Filter<Extract = (Result<Admitted, Answer>,), Error = Infallible> + Clone + Send + Sync + 'static
{
    // A filter before this one may have taken the body, which warp logs as an error. There is nothing
    // to read then, and the answer is that to an empty body.
    let body = warp::body::stream()
        .map(Some)
        .or_else(|_| async { Ok::<_, Infallible>((None,)) });
    warp::method()
        .and(warp::header::headers_cloned())
        .and(body)
        .then(move |method, headers, body| {
            let receiver = receiver.clone();
            async move { read_and_verify(&receiver, &method, &headers, body).await }
        })
}

async fn read_and_verify<B: Buf, E>(
    receiver: &Receiver,
    method: &Method,
    headers: &HeaderMap,
    body: Option<impl Stream<Item = Result<B, E>>>,
) -> Result<Admitted, Answer> {
    receiver.check_method(*method == Method::POST)?;
    let Some(body) = body else {
        return receiver.admit(b"").await;
    };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let mut body = pin!(body);
    let body = receiver
        .read_body(announced, |context| body.as_mut().poll_next(context))
        .await?;
    receiver.admit(&body).await
}
