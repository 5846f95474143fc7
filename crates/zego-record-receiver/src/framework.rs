//! A [`HandlerError`] as the response of a web framework. Only the crate that a type is from can
//! implement a framework's trait for it, so that these two are here and not in the adapters.

use zego_record_core::Verdict;

use crate::delivery::HandlerError;

impl HandlerError {
    fn verdict(&self) -> Verdict {
        if self.is_discard() {
            Verdict::Discarded
        } else {
            Verdict::HandlerFailed
        }
    }
}

/// `500`, or `1` for a callback that the handler discards. The error is in the response's extensions, by
/// which an outer layer settles the delivery.
#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for HandlerError {
    fn into_response(self) -> axum_core::response::Response {
        let verdict = self.verdict();
        let mut response = axum_core::response::Response::new(verdict.body().into());
        // Every status of the table is valid; if one were not, ZEGOCLOUD would have to try again.
        *response.status_mut() = http::StatusCode::from_u16(verdict.status())
            .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(verdict);
        response.extensions_mut().insert(self);
        response
    }
}

/// `500`, or `1` for a callback that the handler discards.
#[cfg(feature = "actix")]
impl actix_web::ResponseError for HandlerError {
    fn status_code(&self) -> actix_web::http::StatusCode {
        actix_web::http::StatusCode::from_u16(self.verdict().status())
            .unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> actix_web::HttpResponse {
        let verdict = self.verdict();
        let mut response = actix_web::HttpResponse::new(self.status_code())
            .set_body(actix_web::body::BoxBody::new(verdict.body()));
        response.extensions_mut().insert(verdict);
        response
    }
}
