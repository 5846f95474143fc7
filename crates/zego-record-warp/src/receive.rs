//! From a request to a verified callback.

use std::convert::Infallible;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};
use warp::{Buf, Filter, Stream};
use zego_record_core::{Rejection, Verdict, Verified};
use zego_record_receiver::{InboxReceiver, Receiver};

/// Reads and verifies a request. A rejection is extracted as well: as warp's own rejection it would let
/// another route answer.
pub(crate) fn receive(
    receiver: Receiver,
) -> impl Filter<Extract = (Result<Verified, Rejection>,), Error = Infallible>
+ Clone
+ Send
+ Sync
+ 'static {
    request().then(move |method: Method, declared, body| {
        let receiver = receiver.clone();
        async move {
            let pipeline = receiver.pipeline();
            match body {
                Some(body) => {
                    let received = pipeline.receive(method.as_str(), declared, body).await;
                    received.map(|(_, verified)| verified)
                }
                None => {
                    pipeline.check_method(method.as_str())?;
                    pipeline.verify(b"").await
                }
            }
        }
    })
}

/// Reads and verifies a request, and commits the callback to an inbox.
pub(crate) fn accept(
    receiver: InboxReceiver,
) -> impl Filter<Extract = (Verdict,), Error = Infallible> + Clone + Send + Sync + 'static {
    request().then(move |method: Method, declared, body| {
        let receiver = receiver.clone();
        async move {
            match body {
                Some(body) => receiver.receive(method.as_str(), declared, body).await,
                None => receiver.accept(b"").await,
            }
        }
    })
}

/// Method, declared length and body. A filter before this one may have taken the body, which warp logs as
/// an error: there is nothing to read then, and the response is that to an empty body.
fn request() -> impl Filter<
    Extract = (
        Method,
        Option<u64>,
        Option<impl Stream<Item = Result<impl Buf, warp::Error>> + Send>,
    ),
    Error = Infallible,
> + Clone
+ Send
+ Sync
+ 'static {
    let declared = warp::header::headers_cloned().map(|headers: HeaderMap| {
        let length = headers.get(CONTENT_LENGTH)?;
        length.to_str().ok()?.parse().ok()
    });
    let body = warp::body::stream()
        .map(Some)
        .or_else(|_| async { Ok::<_, Infallible>((None,)) });
    warp::method().and(declared).and(body)
}
