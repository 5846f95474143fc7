//! From a request to a verified callback.

use std::convert::Infallible;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};
use warp::{Buf, Filter, Stream};
use zego_record_core::{Rejection, Verified};
use zego_record_receiver::Receiver;

/// Reads and verifies a request. A rejection is extracted as well: as warp's own rejection it would let
/// another route answer.
pub(crate) fn receive(
    receiver: Receiver,
) -> impl Filter<Extract = (Result<Verified, Rejection>,), Error = Infallible>
+ Clone
+ Send
+ Sync
+ 'static {
    // A filter before this one may have taken the body, which warp logs as an error. There is nothing
    // to read then, and the response is that to an empty body.
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
) -> Result<Verified, Rejection> {
    let pipeline = receiver.pipeline();
    let Some(body) = body else {
        pipeline.check_method(method.as_str())?;
        return pipeline.verify(b"").await;
    };
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let received = pipeline.receive(method.as_str(), declared, body).await;
    received.map(|(_, verified)| verified)
}
