//! The functions that a route takes.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest};
use zego_record_receiver::{Delivery, HandlerError};

/// A handler with its arguments extracted, except for the delivery.
pub type Call = Box<dyn FnOnce(Delivery) -> Running>;

/// A handler that runs.
pub type Running = Pin<Box<dyn Future<Output = Result<(), HandlerError>>>>;

/// A function that [`record`](crate::record()) takes: the last argument is a
/// [`RecordCallback`](crate::RecordCallback) or a [`Delivery`], those before it are extractors that do
/// without the payload.
///
/// It is implemented for functions; there is no need to implement it for anything else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler for recording callbacks",
    label = "not an `async fn(.., RecordCallback) -> Result<(), HandlerError>`",
    note = "the last argument is a `RecordCallback` or a `Delivery`, up to three before it implement `FromRequest`, and the result is `Result<(), HandlerError>`"
)]
pub trait RecordHandler<M>: Clone + 'static {
    /// Extracts all arguments but the last.
    fn extract(self, request: &HttpRequest) -> impl Future<Output = Result<Call, Error>> + 'static;
}

macro_rules! impl_record_handler {
    ($($extractor:ident),*) => {
        impl<H, F, A, $($extractor),*> RecordHandler<($($extractor,)* A,)> for H
        where
            H: Fn($($extractor,)* A) -> F + Clone + 'static,
            F: Future<Output = Result<(), HandlerError>> + 'static,
            A: From<Delivery> + 'static,
            $($extractor: FromRequest + 'static,)*
        {
            #[allow(non_snake_case, unused_variables)]
            fn extract(
                self,
                request: &HttpRequest,
            ) -> impl Future<Output = Result<Call, Error>> + 'static {
                // The futures must not hold the request, which is passed on.
                $(let $extractor = $extractor::from_request(request, &mut Payload::None);)*
                async move {
                    $(let $extractor = $extractor.await.map_err(Into::into)?;)*
                    let call: Call =
                        Box::new(move |delivery| Box::pin(self($($extractor,)* delivery.into())));
                    Ok(call)
                }
            }
        }
    };
}

impl_record_handler!();
impl_record_handler!(E1);
impl_record_handler!(E1, E2);
impl_record_handler!(E1, E2, E3);
