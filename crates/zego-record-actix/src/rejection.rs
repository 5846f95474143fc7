//! Why there is no callback for a handler.

use std::error::Error;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use zego_record_core::{Rejection, Verdict};
use zego_record_receiver::Reply;

use crate::respond::{respond, status};

/// Why there is no callback for the handler: the request was rejected, or it is about another event than
/// `record`, which is answered with `1` and not handled. Or, with the verdict
/// [`HandlerFailed`](Verdict::HandlerFailed), the extractor found no receiver in the app data; that is
/// logged as an error through `log`.
///
/// The middleware returns it as an error when a handler has panicked or was out of time, since the
/// request, without which actix has no response, has ended with the handler.
#[derive(Clone, Debug)]
pub struct RecordRejection {
    reply: Reply,
    reason: Option<Rejection>,
    has_receiver: bool,
}

impl RecordRejection {
    /// The verdict, which decides the response.
    pub fn verdict(&self) -> Verdict {
        self.reply.verdict()
    }

    /// Why the request was rejected, for a log; `None` if it was not the request's fault.
    pub fn rejection(&self) -> Option<&Rejection> {
        self.reason.as_ref()
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        status(&self.reply)
    }

    pub(crate) fn new(reply: Reply, reason: Option<Rejection>) -> Self {
        Self {
            reply,
            reason,
            has_receiver: true,
        }
    }

    /// Not the sender's fault: a monitor should see a failure of the server.
    pub(crate) fn no_receiver() -> Self {
        Self {
            reply: Verdict::HandlerFailed.into(),
            reason: None,
            has_receiver: false,
        }
    }
}

impl ResponseError for RecordRejection {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        respond(&self.reply)
    }
}

impl fmt::Display for RecordRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_receiver {
            write!(f, "no recording for the handler: {}", self.verdict())
        } else {
            f.write_str(
                "there is no receiver for the extractor `Record`: add `.app_data(receiver.clone())` to the app, or wrap the route in `RecordMiddleware`",
            )
        }
    }
}

impl Error for RecordRejection {}
