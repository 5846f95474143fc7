//! The ready route.

use actix_web::{HttpRequest, Route, web};
use zego_record_receiver::{Delivery, HandlerError, Receiver};

use crate::admit::admit;
use crate::respond::respond;

/// A route that takes every request as a recording callback, all the way, and runs a function for it:
/// an `async fn` from a [`RecordCallback`](crate::RecordCallback) or a [`Delivery`] to
/// `Result<(), HandlerError>`. Its future need not be `Send`.
///
/// The route has no guard, so that it answers `405` to other methods than `POST` by itself. The
/// handler runs in a task of its own, on the worker that has got the request, and is not dropped when
/// the client goes away.
pub fn record<H, A, F>(receiver: Receiver, handler: H) -> Route
where
    H: Fn(A) -> F + Clone + 'static,
    A: From<Delivery> + 'static,
    F: Future<Output = Result<(), HandlerError>> + 'static,
{
    web::to(move |request: HttpRequest, payload: web::Payload| {
        let (receiver, handler) = (receiver.clone(), handler.clone());
        let admitted = admit(&receiver, &request, payload.into_inner());
        async move {
            respond(match admitted.await {
                Ok((_, admitted)) => {
                    let run = move |delivery: Delivery| handler(delivery.into());
                    receiver.deliver_local(admitted, run).await.0
                }
                Err(answer) => answer,
            })
        }
    })
}
