//! From a reply to a response.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use zego_record_receiver::Reply;

/// Converts a reply into a response, with its [`Verdict`](zego_record_core::Verdict) in the extensions.
pub fn respond(reply: &Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(reply.body().clone()));
    // Every status of the table is valid; if one were not, ZEGOCLOUD would have to try again.
    *response.status_mut() =
        StatusCode::from_u16(reply.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type()));
    if let Some(allow) = reply.allow() {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response.extensions_mut().insert(reply.verdict());
    response
}
