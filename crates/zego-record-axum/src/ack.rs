//! The response of a handler behind the extractor or the layer.

use axum_core::response::{IntoResponse, Response};
use zego_record_core::Verdict;
use zego_record_tower::respond;

/// The response `1`: the recording is taken care of, and ZEGOCLOUD will not send it again.
///
/// Return it once the effect is done, not before. `Result<Ack, HandlerError>` is a response as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack;

impl IntoResponse for Ack {
    fn into_response(self) -> Response {
        respond(&Verdict::Handled.into()).into_response()
    }
}
