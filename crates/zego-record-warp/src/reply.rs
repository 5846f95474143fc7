//! From an answer to a reply.

use warp::Reply;
use warp::reply::Response;
use zego_record_core::Verdict;
use zego_record_receiver::Answer;

/// Turns an answer into a response, with its [`Verdict`] in the extensions.
pub(crate) fn respond(answer: Answer) -> Response {
    zego_record_tower::respond(answer)
        .map(|_| answer.body())
        .into_response()
}

/// Answers `1`: the recording is taken care of, and ZEGOCLOUD will not send it again.
///
/// Return it once the effect is done, not before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack;

impl Reply for Ack {
    fn into_response(self) -> Response {
        respond(Verdict::Handled.into())
    }
}
