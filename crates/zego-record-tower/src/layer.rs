//! The layer.

use tower_layer::Layer;
use zego_record_receiver::Receiver;

use crate::service::RecordService;

/// Receives recording callbacks, with delivery guarantees and the inner service as the handler.
///
/// The inner service is called for a callback that is verified and no duplicate, in a task of its own.
/// The request's extensions have the [`RecordCallback`](crate::RecordCallback) and the
/// [`Delivery`](crate::Delivery), and its body is the one that was received. If the inner service
/// responds with a 2xx, the response is `1`; any other response is passed on, and ZEGOCLOUD tries again.
///
/// An inner service must not turn an error into a 2xx: in axum, an `Err` of a type that renders as plain text,
/// such as `Result<Ack, String>`, responds with `200` and would count as success. Return
/// `Result<Ack, HandlerError>`.
///
/// If the response has a [`HandlerError`](crate::HandlerError) in its extensions, the delivery is settled
/// with that error, whatever the status: one that discards is answered with `1`.
///
/// Every response has its [`Verdict`](crate::Verdict) in the extensions.
#[derive(Clone, Debug)]
pub struct RecordLayer {
    receiver: Receiver,
}

impl RecordLayer {
    /// A layer that drives this receiver.
    pub fn new(receiver: Receiver) -> Self {
        Self { receiver }
    }
}

impl<S> Layer<S> for RecordLayer {
    type Service = RecordService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RecordService::new(inner, self.receiver.clone())
    }
}
