//! A receiver that commits callbacks to an inbox.

use std::fmt;
use std::sync::Arc;

use bytes::Buf;
use futures_core::Stream;
use zego_record_core::{ConfigError, Verdict, Verifier};

use super::client::InboxClient;
use crate::receiver::Receiver;
use crate::reply::Reply;
use crate::telemetry::Counters;

/// Receives recording callbacks into an inbox: a callback is verified, checked for replays and committed,
/// then answered with `1`. A worker runs the handler afterwards, in this process or in another one, for as
/// long as it takes.
///
/// It is built by [`ReceiverBuilder::build_with_inbox`](crate::ReceiverBuilder::build_with_inbox). Clones
/// share everything. The crates for web frameworks make a route of it; an adapter of your own calls
/// [`receive`](Self::receive) and [`reply`](Self::reply).
///
/// What happens if something fails: `503` as long as the inbox cannot be reached or the result of a commit
/// is unknown. ZEGOCLOUD tries again, and what was committed is then answered as a duplicate.
#[derive(Clone)]
pub struct InboxReceiver {
    pub(crate) receiver: Receiver,
    pub(crate) inbox: Arc<InboxClient>,
}

impl InboxReceiver {
    /// Reads, verifies and commits a request. `declared` is the length that the sender has announced.
    pub async fn receive<B: Buf, E>(
        &self,
        method: &str,
        declared: Option<u64>,
        body: impl Stream<Item = Result<B, E>>,
    ) -> Verdict {
        let pipeline = self.receiver.pipeline();
        if let Err(rejection) = pipeline.check_method(method) {
            return rejection.verdict();
        }
        match pipeline.read_body(declared, body).await {
            Ok(body) => self.accept(&body).await,
            Err(rejection) => rejection.verdict(),
        }
    }

    /// Verifies a body and commits the callback.
    pub async fn accept(&self, body: &[u8]) -> Verdict {
        crate::pipeline::accept(self, body).await
    }

    /// What goes over the wire for a verdict.
    pub fn reply(&self, verdict: Verdict) -> Reply {
        self.receiver.pipeline().reply(verdict)
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.receiver.counters()
    }

    /// Replaces the secrets, and everything else that the verifier knows, while running.
    ///
    /// # Errors
    ///
    /// As [`Receiver::replace_verifier`].
    pub fn replace_verifier(&self, verifier: Verifier) -> Result<(), ConfigError> {
        self.receiver.replace_verifier(verifier)
    }

    /// Shuts down gracefully: further callbacks are answered with `503`, and commits that are under way
    /// may finish. Call it before the server stops, or while it does, and wait for it.
    pub async fn shutdown(&self) {
        self.receiver.shutdown().await;
    }
}

impl fmt::Debug for InboxReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxReceiver")
            .field("inbox", &self.inbox)
            .finish_non_exhaustive()
    }
}
