//! What is answered when a page cannot be shown. The guard renders it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use zego_record_receiver::{StoreError, StoreErrorKind};

/// Why a page cannot be shown, and what to do about it.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) text: String,
    /// Whether to show the form to sign in.
    pub(crate) sign_in: bool,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, title: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            title,
            text: text.into(),
            sign_in: false,
        }
    }

    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "This cannot be understood", text)
    }

    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Not allowed", text)
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", text)
    }

    pub(crate) fn sign_in(text: impl Into<String>) -> Self {
        Self {
            sign_in: true,
            ..Self::new(StatusCode::UNAUTHORIZED, "Sign in", text)
        }
    }

    /// What axum answers by itself has no text.
    pub(crate) fn of_status(status: StatusCode) -> Option<Self> {
        let problem = match status {
            StatusCode::NOT_FOUND => Self::not_found("There is no such page."),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(status, "Not allowed", "The page does not have this method.")
            }
            status if status.is_client_error() || status.is_server_error() => Self::new(
                status,
                "This did not work",
                "The request cannot be answered.",
            ),
            _ => return None,
        };
        Some(problem)
    }
}

/// With what the store is, and not with what it has written: that goes to the log.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let advice = match error.kind() {
            StoreErrorKind::Timeout => {
                "It may be busy: try again. If an action was to be done, look first whether it was."
            }
            StoreErrorKind::Corrupt | StoreErrorKind::Config => "The log has the reason.",
            _ => {
                "Callbacks are answered with 503 meanwhile, and ZEGOCLOUD sends them again. The log has the reason."
            }
        };
        let text = format!("The inbox is away: {error}. {advice}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The inbox is away", text)
    }
}

/// Carries itself to the guard, which knows how to show it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
