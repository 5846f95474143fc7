//! The ready route.

use axum::routing::{MethodRouter, any_service};
use zego_record_receiver::{Delivery, HandlerError, Receiver};

/// A route that takes every request as a recording callback, all the way, and runs a function for it:
/// an `async fn` from a [`RecordCallback`](crate::RecordCallback) or a [`Delivery`] to
/// `Result<(), HandlerError>`. Other methods than `POST` are answered `405`.
///
/// The handler runs in a task of its own and is not dropped when the client goes away.
pub fn record<S, H, A, F>(receiver: Receiver, handler: H) -> MethodRouter<S>
where
    S: Clone,
    H: Fn(A) -> F + Clone + Send + Sync + 'static,
    A: From<Delivery> + Send + 'static,
    F: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    any_service(zego_record_tower::record(receiver, handler))
}
