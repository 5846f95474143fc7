//! The filters.

use std::convert::Infallible;

use warp::reply::Response;
use warp::{Filter, Reply};
use zego_record_core::RecordCallback;
use zego_record_receiver::{Admitted, Delivery, HandlerError, Receiver};

use crate::admit::admit;
use crate::reply::respond;

/// A filter that takes every request as a recording callback, all the way, and runs a function for it:
/// an `async fn` from a [`RecordCallback`] or a [`Delivery`] to `Result<(), HandlerError>`. Other
/// methods than `POST` are answered `405`.
///
/// The handler runs in a task of its own and is not dropped when the client goes away.
///
/// The filter looks at no path: put one in front of it, with [`warp::path::end`]. It answers every
/// request that comes so far, and never rejects, as its error type says: no route behind it is tried.
/// The response has its [`Verdict`](zego_record_core::Verdict) in its extensions.
pub fn record<H, A, F>(
    receiver: Receiver,
    handler: H,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static
where
    H: Fn(A) -> F + Clone + Send + Sync + 'static,
    A: From<Delivery> + Send + 'static,
    F: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    admit(receiver.clone()).then(move |admitted| {
        let (receiver, handler) = (receiver.clone(), handler.clone());
        async move {
            respond(match admitted {
                Ok(admitted) => {
                    let run = move |delivery: Delivery| handler(delivery.into());
                    receiver.deliver(admitted, run).await.0
                }
                Err(answer) => answer,
            })
        }
    })
}

/// A filter that only verifies: it runs an `async fn` from a [`RecordCallback`] to any reply, such as
/// [`Ack`](crate::Ack), and answers every other request by itself.
///
/// It reads and verifies the request and binds the signature to the content. It does not deduplicate:
/// a retry runs the handler again, and a handler is dropped when the client goes away. Beneath a
/// [`RecordLayer`](crate::RecordLayer) it takes what the layer has verified, and reads nothing.
///
/// The handler is a parameter, since a filter that only extracted the callback would have to reject
/// what it rejects: warp would then try the next route, which might answer `200` to a forged callback.
/// As [`record`], it looks at no path and never rejects.
pub fn verified<H, F>(
    receiver: Receiver,
    handler: H,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static
where
    H: Fn(RecordCallback) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: Reply> + Send + 'static,
{
    let beneath_a_layer = warp::ext::get::<RecordCallback>().map(Ok);
    let alone = admit(receiver).map(|admitted: Result<_, _>| admitted.map(Admitted::into_callback));
    beneath_a_layer.or(alone).unify().then(move |callback| {
        let handler = handler.clone();
        async move {
            match callback {
                Ok(callback) => handler(callback).await.into_response(),
                Err(answer) => respond(answer),
            }
        }
    })
}
