//! A route for a function.

use std::marker::PhantomData;
use std::pin::Pin;

use axum::handler::Handler;
use axum::routing::{MethodRouter, any};
use axum_core::extract::Request;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use zego_record_core::{Verdict, Verified};
use zego_record_receiver::{Delivery, HandlerError, Outcome, Receiver};
use zego_record_tower::{receive, respond};

use crate::handler::RecordHandler;

/// A route that receives recording callbacks, with delivery guarantees, and runs a function for each.
///
/// The function is an `async fn` whose last argument is a [`RecordCallback`](crate::RecordCallback) or a
/// [`Delivery`], and that returns `Result<(), HandlerError>`. Up to three arguments before it are
/// extractors, such as `State`, as in any other handler:
///
/// ```
/// use axum::{Router, extract::State};
/// use zego_record_axum::{HandlerError, Receiver, RecordCallback, record};
/// # #[derive(Clone)] struct Pool;
/// # impl Pool { async fn insert(&self, _: &str) -> Result<(), std::io::Error> { Ok(()) } }
///
/// async fn on_record(State(pool): State<Pool>, recording: RecordCallback) -> Result<(), HandlerError> {
///     pool.insert(recording.replay_url()).await?;
///     Ok(())
/// }
///
/// fn app(receiver: Receiver, pool: Pool) -> Router {
///     Router::new().route("/zego/record", record(receiver, on_record)).with_state(pool)
/// }
/// ```
///
/// Other methods than `POST` are answered with `405`. The handler runs in a task of its own and is not
/// dropped when the client disconnects. If an extractor rejects, the handler is not run, the response is
/// the extractor's, and ZEGOCLOUD tries again.
pub fn record<S, H, M>(receiver: Receiver, handler: H) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
    H: RecordHandler<M, S>,
    M: 'static,
{
    any(Route {
        receiver,
        handler,
        arguments: PhantomData,
    })
}

struct Route<H, M> {
    receiver: Receiver,
    handler: H,
    arguments: PhantomData<fn(M)>,
}

impl<H: Clone, M> Clone for Route<H, M> {
    fn clone(&self) -> Self {
        Self {
            receiver: self.receiver.clone(),
            handler: self.handler.clone(),
            arguments: PhantomData,
        }
    }
}

impl<S, H, M> Handler<(M,), S> for Route<H, M>
where
    S: Clone + Send + Sync + 'static,
    H: RecordHandler<M, S>,
    M: 'static,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: S) -> Self::Future {
        Box::pin(async move {
            let pipeline = self.receiver.pipeline();
            let verdict = match receive(&self.receiver, request).await {
                Ok((request, Verified::Record(callback))) => {
                    let (mut parts, _) = request.into_parts();
                    let handler = self.handler;
                    // In the handler's task: an extractor that hangs is stopped with it.
                    let run = async move |delivery: Delivery| match handler
                        .extract(&mut parts, &state)
                        .await
                    {
                        Ok(call) => Outcome::new(call(delivery).await, None),
                        Err(rejection) => {
                            let error = HandlerError::retry("an extractor rejected the request");
                            Outcome::new(Err(error), Some(rejection))
                        }
                    };
                    match pipeline.deliver(callback, run).await {
                        (_, Some(Some(rejection))) => return failure(rejection),
                        (verdict, _) => verdict,
                    }
                }
                Ok((_, Verified::Other(_))) => Verdict::Ignored,
                Err(rejection) => rejection.verdict(),
            };
            respond(&pipeline.reply(verdict)).into_response()
        })
    }
}

/// An extractor's rejection must not look like success: ZEGOCLOUD would not try again.
fn failure(mut rejection: Response) -> Response {
    if rejection.status().is_success() {
        *rejection.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    rejection.extensions_mut().insert(Verdict::HandlerFailed);
    rejection
}
