//! Errors of what this crate wraps.

use std::fmt;

use actix_web::Error;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use zego_record_core::Verdict;

/// The rendered error, with `500` in place of a success: after a 2xx without an effect ZEGOCLOUD would
/// not try again.
///
/// An error may render only once, so what it has rendered to is what is passed on.
pub(crate) fn failure(error: &Error) -> Error {
    let mut response = error.error_response();
    if response.status().is_success() {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    response.extensions_mut().insert(Verdict::HandlerFailed);
    InternalError::from_response(Cause(error.to_string()), response).into()
}

/// The error as a string, for a log.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
