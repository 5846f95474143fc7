//! From a reply to a response.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use zego_record_receiver::Reply;

/// Converts a reply into a response, with its [`Verdict`](zego_record_core::Verdict) in the extensions.
pub(crate) fn respond(reply: &Reply) -> HttpResponse {
    let body = BoxBody::new(reply.body().clone());
    let mut response = HttpResponse::with_body(status(reply), body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type()));
    if let Some(allow) = reply.allow() {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response.extensions_mut().insert(reply.verdict());
    response
}

pub(crate) fn status(reply: &Reply) -> StatusCode {
    // Every status of the table is valid; if one were not, ZEGOCLOUD would have to try again.
    StatusCode::from_u16(reply.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
