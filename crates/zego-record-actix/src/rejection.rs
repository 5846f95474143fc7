//! Why a handler was not run.

use std::error::Error;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use zego_record_core::Verdict;
use zego_record_receiver::Answer;

use crate::respond::{respond, status};

/// Why there is no callback for the handler: a rejection, or `1` for another event than `record`, which
/// is not for a handler either. Or, with the kind [`HandlerFailed`](Verdict::HandlerFailed), the
/// extractor found no receiver in the app data; that is logged as an error through `log`.
///
/// The middleware gives it as an error when a handler has panicked or was out of time, since the
/// request, without which actix has no response, has ended with the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRejection(Reason);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Answered(Answer),
    NoReceiver,
}

impl RecordRejection {
    pub(crate) const NO_RECEIVER: Self = Self(Reason::NoReceiver);

    /// The row of the table of verdicts.
    pub fn kind(&self) -> Verdict {
        self.answer().kind()
    }

    fn answer(&self) -> Answer {
        match self.0 {
            Reason::Answered(answer) => answer,
            // Not the sender's fault, so that a monitor should see a failure of the server.
            Reason::NoReceiver => Verdict::HandlerFailed.into(),
        }
    }
}

impl From<Answer> for RecordRejection {
    fn from(answer: Answer) -> Self {
        Self(Reason::Answered(answer))
    }
}

impl ResponseError for RecordRejection {
    fn status_code(&self) -> StatusCode {
        status(self.answer())
    }

    fn error_response(&self) -> HttpResponse {
        respond(self.answer())
    }
}

impl fmt::Display for RecordRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Reason::Answered(answer) => {
                write!(f, "no recording for the handler: {}", answer.kind())
            }
            Reason::NoReceiver => f.write_str(
                "there is no receiver for the extractor `Record`: add `.app_data(receiver.clone())` to the app, or wrap the route in `RecordMiddleware`",
            ),
        }
    }
}

impl Error for RecordRejection {}
