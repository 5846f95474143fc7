//! From an answer to a response.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use zego_record_receiver::Answer;

/// Turns an answer into a response, with its [`Verdict`](zego_record_core::Verdict) in the extensions.
pub(crate) fn respond(answer: Answer) -> HttpResponse {
    let mut response = HttpResponse::with_body(status(answer), BoxBody::new(answer.body()));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(answer.content_type()),
    );
    if let Some(allow) = answer.allow() {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response.extensions_mut().insert(answer.kind());
    response
}

pub(crate) fn status(answer: Answer) -> StatusCode {
    // Every status of the table is valid; if one were not, ZEGOCLOUD would have to try again.
    StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
