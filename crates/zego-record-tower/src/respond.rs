//! From an answer to a response.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use zego_record_receiver::Answer;

/// Turns an answer into a response, with its [`Verdict`](zego_record_core::Verdict) in the extensions.
pub fn respond(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(answer.body().as_bytes())));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static(answer.content_type()),
    );
    mark(response, answer)
}

/// Gives a response what no replacement may change.
pub(crate) fn mark(mut response: Response<Full<Bytes>>, answer: Answer) -> Response<Full<Bytes>> {
    // Every status of the table is valid; if one were not, ZEGOCLOUD would have to try again.
    *response.status_mut() =
        StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(allow) = answer.allow() {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static(allow));
    }
    response.extensions_mut().insert(answer.kind());
    response
}
