//! The extractor.

use std::error::Error;
use std::fmt;

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use zego_record_core::{RecordCallback, Rejection, Verdict, Verified};
use zego_record_receiver::{Receiver, Reply};
use zego_record_tower::{receive, respond};

/// A verified callback.
///
/// Alone, it reads and verifies the request with the [`Receiver`] in the state, and checks it for
/// replays. It does not deduplicate: a retry runs the handler again, the handler is dropped when the
/// client disconnects, a panic closes the connection, and
/// [`Receiver::shutdown`] does not wait for it. Respond with [`Ack`](crate::Ack), or with
/// `Result<Ack, HandlerError>`; not with `Result<_, String>`, whose error axum renders as `200`.
///
/// Behind a [`RecordLayer`](crate::RecordLayer) it takes the callback that the layer has verified, and
/// reads nothing.
#[derive(Clone, Debug)]
pub struct Record(pub RecordCallback);

impl<S> FromRequest<S> for Record
where
    S: Send + Sync,
    Receiver: FromRef<S>,
{
    type Rejection = RecordRejection;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, RecordRejection> {
        if let Some(callback) = request.extensions().get::<RecordCallback>() {
            return Ok(Self(callback.clone()));
        }
        let receiver = Receiver::from_ref(state);
        let (verdict, reason) = match receive(&receiver, request).await {
            Ok((_, Verified::Record(callback))) => return Ok(Self(callback)),
            Ok((_, Verified::Other(_))) => (Verdict::Ignored, None),
            Err(rejection) => (rejection.verdict(), Some(rejection)),
        };
        Err(RecordRejection {
            reply: receiver.pipeline().reply(verdict),
            reason,
        })
    }
}

/// Why there is no callback for the handler: the request was rejected, or it is about another event than
/// `record`, which is answered with `1` and not handled.
#[derive(Clone, Debug)]
pub struct RecordRejection {
    reply: Reply,
    reason: Option<Rejection>,
}

impl RecordRejection {
    /// The verdict, which decides the response.
    pub fn verdict(&self) -> Verdict {
        self.reply.verdict()
    }

    /// Why the request was rejected, for a log; `None` for another event.
    pub fn rejection(&self) -> Option<&Rejection> {
        self.reason.as_ref()
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        respond(&self.reply).status()
    }
}

impl IntoResponse for RecordRejection {
    fn into_response(self) -> Response {
        respond(&self.reply).into_response()
    }
}

impl fmt::Display for RecordRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no recording for the handler: {}", self.verdict())
    }
}

impl Error for RecordRejection {}
