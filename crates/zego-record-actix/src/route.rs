//! A route for a function.

use actix_web::{Error, HttpRequest, HttpResponse, Route, web};
use zego_record_core::{Verdict, Verified};
use zego_record_receiver::{Delivery, HandlerError, Outcome, Receiver};

use crate::failure::failure;
use crate::handler::RecordHandler;
use crate::receive::receive;
use crate::respond::respond;

/// A route that receives recording callbacks, with delivery guarantees, and runs a function for each.
///
/// The function is an `async fn` whose last argument is a [`RecordCallback`](crate::RecordCallback) or a
/// [`Delivery`], and that returns `Result<(), HandlerError>`. Up to three arguments before it are
/// extractors, such as `web::Data`, as in any other handler. Its future need not be `Send`.
///
/// ```
/// use actix_web::web;
/// use zego_record_actix::{HandlerError, Receiver, RecordCallback, record};
/// # struct Pool;
/// # impl Pool { async fn insert(&self, _: &str) -> Result<(), std::io::Error> { Ok(()) } }
///
/// async fn on_record(pool: web::Data<Pool>, recording: RecordCallback) -> Result<(), HandlerError> {
///     pool.insert(recording.replay_url()).await?;
///     Ok(())
/// }
///
/// fn configure(config: &mut web::ServiceConfig, receiver: Receiver, pool: web::Data<Pool>) {
///     config.app_data(pool).route("/zego/record", record(receiver, on_record));
/// }
/// ```
///
/// The route has no guard, so that it answers other methods than `POST` with `405` by itself. The
/// handler runs in a task of its own, on the worker that has received the request, and is not dropped
/// when the client disconnects. If an extractor rejects, the handler is not run, the response is the
/// extractor's, and ZEGOCLOUD tries again.
pub fn record<H, M>(receiver: Receiver, handler: H) -> Route
where
    H: RecordHandler<M>,
    M: 'static,
{
    web::to(move |request: HttpRequest, payload: web::Payload| {
        let (receiver, handler) = (receiver.clone(), handler.clone());
        let received = receive(&receiver, &request, payload.into_inner());
        async move { handle(&receiver, handler, &request, received.await).await }
    })
}

async fn handle<H: RecordHandler<M>, M>(
    receiver: &Receiver,
    handler: H,
    request: &HttpRequest,
    received: Result<(web::Bytes, Verified), zego_record_core::Rejection>,
) -> Result<HttpResponse, Error> {
    let pipeline = receiver.pipeline();
    let verdict = match received {
        Ok((_, Verified::Record(callback))) => {
            let extracted = handler.extract(request);
            // In the handler's task: an extractor that hangs is stopped with it.
            let run = async |delivery: Delivery| match extracted.await {
                Ok(call) => Outcome::new(call(delivery).await, None),
                Err(rejection) => {
                    let error = HandlerError::retry("an extractor rejected the request");
                    Outcome::new(Err(error), Some(failure(&rejection)))
                }
            };
            match pipeline.deliver_local(callback, run).await {
                (_, Some(Some(rejection))) => return Err(rejection),
                (verdict, _) => verdict,
            }
        }
        Ok((_, Verified::Other(_))) => Verdict::Ignored,
        Err(rejection) => rejection.verdict(),
    };
    Ok(respond(&pipeline.reply(verdict)))
}
