//! The pipeline of a request, one file for each step: read the body, verify, claim, run, settle; with an
//! inbox, verify and accept.

mod accept;
mod body;
mod claim;
mod deliver;
mod run;
mod settle;
mod verify;

pub(crate) use accept::accept;
pub(crate) use body::BodyLimits;
pub(crate) use verify::keep_for;

use bytes::{Buf, Bytes};
use futures_core::Stream;
use zego_record_core::{RecordCallback, Rejection, Verdict, Verified};

use crate::background;
use crate::delivery::Delivery;
use crate::hooks::Rejected;
use crate::outcome::Outcome;
use crate::receiver::{Inner, Receiver};
use crate::reply::Reply;

/// The pipeline of a request, for adapters to web frameworks.
///
/// An adapter calls [`receive`](Self::receive), [`deliver`](Self::deliver) and
/// [`reply`](Self::reply), in this order, and adds nothing: every decision is made here.
///
/// ```
/// use bytes::Bytes;
/// use futures_core::Stream;
/// use zego_record_core::{Verdict, Verified};
/// use zego_record_receiver::{Delivery, HandlerError, Outcome, Receiver, Reply};
///
/// async fn on_record(delivery: Delivery) -> Result<(), HandlerError> {
///     Ok(())
/// }
///
/// async fn adapter(
///     receiver: &Receiver,
///     method: &str,
///     content_length: Option<u64>,
///     body: impl Stream<Item = Result<Bytes, std::io::Error>>,
/// ) -> Reply {
///     let pipeline = receiver.pipeline();
///     let verdict = match pipeline.receive(method, content_length, body).await {
///         Ok((_, Verified::Record(callback))) => {
///             let run = async |delivery| Outcome::from(on_record(delivery).await);
///             # let run = |delivery| async move { Outcome::from(on_record(delivery).await) };
///             pipeline.deliver(callback, run).await.0
///         }
///         Ok((_, Verified::Other(_))) => Verdict::Ignored,
///         Err(rejection) => rejection.verdict(),
///     };
///     pipeline.reply(verdict)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pipeline<'a>(&'a Receiver);

impl<'a> Pipeline<'a> {
    pub(crate) fn new(receiver: &'a Receiver) -> Self {
        Self(receiver)
    }

    /// Reads and verifies a request: [`check_method`](Self::check_method),
    /// [`read_body`](Self::read_body) and [`verify`](Self::verify) in one. Returns the body as well.
    ///
    /// # Errors
    ///
    /// If the request is rejected. Hooks, counters and log have got it by then.
    pub async fn receive<B: Buf, E>(
        &self,
        method: &str,
        declared: Option<u64>,
        body: impl Stream<Item = Result<B, E>>,
    ) -> Result<(Bytes, Verified), Rejection> {
        self.check_method(method)?;
        let body = self.read_body(declared, body).await?;
        let verified = self.verify(&body).await?;
        Ok((body, verified))
    }

    /// Rejects every method but `POST`.
    ///
    /// # Errors
    ///
    /// [`MethodNotAllowed`](Verdict::MethodNotAllowed).
    pub fn check_method(&self, method: &str) -> Result<(), Rejection> {
        if method == "POST" {
            Ok(())
        } else {
            Err(self.inner().reject(Rejection::method_not_allowed(), b""))
        }
    }

    /// Reads a body under the limit and the deadline of the receiver. `declared` is the length that
    /// the sender has announced: one that is too long is rejected before anything is read.
    ///
    /// # Errors
    ///
    /// If the body is too long, too slow or breaks off.
    pub async fn read_body<B: Buf, E>(
        &self,
        declared: Option<u64>,
        body: impl Stream<Item = Result<B, E>>,
    ) -> Result<Bytes, Rejection> {
        let inner = self.inner();
        let limits = inner.config.body;
        body::read(declared, body, limits)
            .await
            .map_err(|rejection| inner.reject(rejection, b""))
    }

    /// Verifies a body and binds its signature to its content. The delivery store is not asked.
    ///
    /// Another event than `record` is an outcome of its own, to be answered with
    /// [`Verdict::Ignored`].
    ///
    /// # Errors
    ///
    /// If the request is rejected.
    pub async fn verify(&self, body: &[u8]) -> Result<Verified, Rejection> {
        let verified = verify::verify(self.inner(), body).await;
        // An extractor alone delivers nothing, and its bindings expire as well.
        background::ensure_running(self.0);
        verified
    }

    /// Claims the delivery, runs the handler in a task of its own and settles the outcome. Returns the
    /// verdict and, if the handler has completed, its output.
    ///
    /// The returned future only waits for the task: when it is dropped, the handler keeps running, and
    /// the next retry gets its result.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn deliver<H, F, T>(
        &self,
        callback: RecordCallback,
        handler: H,
    ) -> (Verdict, Option<T>)
    where
        H: FnOnce(Delivery) -> F + Send + 'static,
        F: Future<Output = Outcome<T>> + Send + 'static,
        T: Send + 'static,
    {
        let attempt = deliver::Attempt::new(self.0.clone(), callback);
        let trace = attempt.trace();
        let task = tokio::spawn(attempt.run(handler));
        trace.outcome_of(task.await)
    }

    /// As [`deliver`](Self::deliver), for a handler that stays on its thread.
    ///
    /// # Panics
    ///
    /// Outside of a `LocalSet`, in which actix runs everything.
    pub async fn deliver_local<H, F, T>(
        &self,
        callback: RecordCallback,
        handler: H,
    ) -> (Verdict, Option<T>)
    where
        H: FnOnce(Delivery) -> F + 'static,
        F: Future<Output = Outcome<T>> + 'static,
        T: 'static,
    {
        let attempt = deliver::Attempt::new(self.0.clone(), callback);
        let trace = attempt.trace();
        let task = tokio::task::spawn_local(attempt.run(handler));
        trace.outcome_of(task.await)
    }

    /// The response for a verdict.
    pub fn reply(&self, verdict: Verdict) -> Reply {
        self.inner().config.replies.reply(verdict)
    }

    fn inner(&self) -> &'a Inner {
        &self.0.0
    }
}

impl Inner {
    /// Reports a request that is rejected.
    fn reject(&self, rejection: Rejection, body: &[u8]) -> Rejection {
        self.telemetry.rejected(&rejection, body);
        self.config.hooks.rejected(&Rejected::new(&rejection, body));
        rejection
    }
}
