//! The layer and its configuration.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tower_layer::Layer;
use zego_record_receiver::{Answer, Receiver};

use crate::respond::{self, respond};
use crate::service::RecordService;

type RejectionResponse = Arc<dyn Fn(Answer) -> Response<Full<Bytes>> + Send + Sync>;

/// Takes every request as a recording callback, all the way, with the inner service as the handler.
///
/// The inner service is run for a callback that is verified and not a duplicate, in a task of its
/// own. It finds the [`RecordCallback`](zego_record_core::RecordCallback) and the
/// [`Delivery`](zego_record_receiver::Delivery) in the request's extensions, and the body as it came.
/// If it answers 2xx, the answer is `1`; any other answer is passed through, and ZEGOCLOUD tries again.
///
/// Every response that this crate decides about has its
/// [`Verdict`](zego_record_core::Verdict) in its extensions.
#[derive(Clone)]
pub struct RecordLayer {
    receiver: Receiver,
    rejection: Option<RejectionResponse>,
}

impl RecordLayer {
    /// A layer that drives this receiver.
    pub fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            rejection: None,
        }
    }

    /// Puts other headers and another body into the answers that reject a request. The status is that
    /// of the verdict, whatever the response says: a rejection that looked like success would lose a
    /// recording.
    #[must_use]
    pub fn with_rejection(
        mut self,
        response: impl Fn(Answer) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.rejection = Some(Arc::new(response));
        self
    }

    pub(crate) fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    pub(crate) fn respond(&self, answer: Answer) -> Response<Full<Bytes>> {
        match &self.rejection {
            Some(rejection) if !answer.is_success() => respond::mark(rejection(answer), answer),
            _ => respond(answer),
        }
    }
}

impl<S> Layer<S> for RecordLayer {
    type Service = RecordService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RecordService::new(inner, self.clone())
    }
}

impl fmt::Debug for RecordLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordLayer")
            .field("receiver", &self.receiver)
            .finish_non_exhaustive()
    }
}
