//! What goes back to ZEGOCLOUD.

use zego_record_core::{Rejection, Verdict};

/// The answer to a request, for an adapter to turn into its framework's response as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an answer that is not sent makes ZEGOCLOUD try again"]
pub struct Answer(Verdict);

impl Answer {
    /// The row of the table of verdicts; adapters also put it into the response's extensions.
    pub const fn kind(self) -> Verdict {
        self.0
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.0.status()
    }

    /// The whole body: `1`, or the code of the rejection.
    pub const fn body(self) -> &'static str {
        self.0.body()
    }

    /// The Content-Type of the body.
    pub const fn content_type(self) -> &'static str {
        "text/plain"
    }

    /// The value of the header `Allow`, if the answer has one.
    pub const fn allow(self) -> Option<&'static str> {
        match self.0 {
            Verdict::MethodNotAllowed => Some("POST"),
            _ => None,
        }
    }

    /// Whether ZEGOCLOUD takes it for success and will not send the callback again.
    pub const fn is_success(self) -> bool {
        self.0.is_success()
    }
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        Self(verdict)
    }
}

impl From<&Rejection> for Answer {
    fn from(rejection: &Rejection) -> Self {
        Self(rejection.verdict())
    }
}
