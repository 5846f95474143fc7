//! From a reply to warp's response.

use warp::Reply as _;
use warp::reply::Response;
use zego_record_core::Verdict;
use zego_record_receiver::Reply;

/// Converts a reply into a response, with its [`Verdict`] in the extensions.
pub(crate) fn respond(reply: &Reply) -> Response {
    zego_record_tower::respond(reply)
        .map(|_| reply.body().to_vec())
        .into_response()
}

/// The response `1`: the recording is taken care of, and ZEGOCLOUD will not send it again.
///
/// Return it once the effect is done, not before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack;

impl warp::Reply for Ack {
    fn into_response(self) -> Response {
        respond(&Verdict::Handled.into())
    }
}
