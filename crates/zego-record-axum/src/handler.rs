//! The functions that a route takes.

use std::pin::Pin;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use zego_record_receiver::{Delivery, HandlerError};

/// A handler with its arguments extracted, except for the delivery.
pub type Call = Box<dyn FnOnce(Delivery) -> Running + Send>;

/// A handler that runs.
pub type Running = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send>>;

/// A function that [`record`](crate::record()) takes: the last argument is a
/// [`RecordCallback`](crate::RecordCallback) or a [`Delivery`], those before it are extractors.
///
/// It is implemented for functions; there is no need to implement it for anything else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler for recording callbacks",
    label = "not an `async fn(.., RecordCallback) -> Result<(), HandlerError>`",
    note = "the last argument is a `RecordCallback` or a `Delivery`, up to three before it implement `FromRequestParts`, and the result is `Result<(), HandlerError>`"
)]
pub trait RecordHandler<M, S>: Clone + Send + Sync + 'static {
    /// Extracts all arguments but the last.
    fn extract(
        self,
        parts: &mut Parts,
        state: &S,
    ) -> impl Future<Output = Result<Call, Response>> + Send;
}

macro_rules! impl_record_handler {
    ($($extractor:ident),*) => {
        impl<H, F, A, S, $($extractor),*> RecordHandler<($($extractor,)* A,), S> for H
        where
            H: Fn($($extractor,)* A) -> F + Clone + Send + Sync + 'static,
            F: Future<Output = Result<(), HandlerError>> + Send + 'static,
            A: From<Delivery>,
            S: Send + Sync,
            $($extractor: FromRequestParts<S> + Send + 'static,)*
        {
            #[allow(non_snake_case, unused_variables)]
            async fn extract(self, parts: &mut Parts, state: &S) -> Result<Call, Response> {
                $(
                    let $extractor = $extractor::from_request_parts(parts, state)
                        .await
                        .map_err(IntoResponse::into_response)?;
                )*
                Ok(Box::new(move |delivery| Box::pin(self($($extractor,)* delivery.into()))))
            }
        }
    };
}

impl_record_handler!();
impl_record_handler!(E1);
impl_record_handler!(E1, E2);
impl_record_handler!(E1, E2, E3);
