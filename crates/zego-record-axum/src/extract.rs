//! The extractor.

use std::error::Error;
use std::fmt;

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use zego_record_core::{RecordCallback, Verdict};
use zego_record_receiver::{Answer, Receiver};
use zego_record_tower::{admit, respond};

/// A verified callback.
///
/// Alone, it reads and verifies the request with the [`Receiver`] in the state, and binds the
/// signature to the content. It does not deduplicate: a retry runs the handler again, and the answer
/// is the handler's business, see [`Ack`](crate::Ack). Beneath a [`RecordLayer`](crate::RecordLayer)
/// it takes what the layer has verified, and reads nothing.
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
        match admit(&Receiver::from_ref(state), request).await {
            Ok((_, admitted)) => Ok(Self(admitted.into_callback())),
            Err(answer) => Err(RecordRejection(answer)),
        }
    }
}

/// Why there is no callback for the handler: a rejection, or `1` for another event than `record`, which
/// is not for a handler either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRejection(Answer);

impl RecordRejection {
    /// The row of the table of verdicts.
    pub fn kind(&self) -> Verdict {
        self.0.kind()
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        respond(self.0).status()
    }
}

impl IntoResponse for RecordRejection {
    fn into_response(self) -> Response {
        respond(self.0).into_response()
    }
}

impl fmt::Display for RecordRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no recording for the handler: {}", self.kind())
    }
}

impl Error for RecordRejection {}
