//! The response of a handler behind the extractor or the middleware.

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};
use zego_record_core::Verdict;

use crate::respond::respond;

/// The response `1`: the recording is taken care of, and ZEGOCLOUD will not send it again.
///
/// Return it once the effect is done, not before. `Result<Ack, HandlerError>` is a response as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack;

impl Responder for Ack {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        respond(&Verdict::Handled.into())
    }
}
