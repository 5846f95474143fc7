//! The filters.

use std::convert::Infallible;

use warp::reply::Response;
use warp::{Filter, Reply};
use zego_record_core::{RecordCallback, Rejection, Verdict, Verified};
use zego_record_receiver::{Delivery, HandlerError, Receiver};

use crate::receive::receive;
use crate::reply::respond;

/// A filter that receives recording callbacks, with delivery guarantees, and runs a function for each: an
/// `async fn` from a [`RecordCallback`] or a [`Delivery`] to `Result<(), HandlerError>`. A closure passes
/// on what else the function needs:
///
/// ```
/// use warp::Filter;
/// use zego_record_warp::{HandlerError, Receiver, RecordCallback, record};
/// # #[derive(Clone)] struct Pool;
/// # impl Pool { async fn insert(&self, _: &str) -> Result<(), std::io::Error> { Ok(()) } }
///
/// async fn on_record(pool: Pool, recording: RecordCallback) -> Result<(), HandlerError> {
///     pool.insert(recording.replay_url()).await?;
///     Ok(())
/// }
///
/// fn routes(receiver: Receiver, pool: Pool) -> warp::filters::BoxedFilter<(impl warp::Reply,)> {
///     let on_record = move |recording: RecordCallback| on_record(pool.clone(), recording);
///     warp::path!("zego" / "record").and(record(receiver, on_record)).boxed()
/// }
/// ```
///
/// Other methods than `POST` are answered with `405`. The handler runs in a task of its own and is not
/// dropped when the client disconnects.
///
/// The filter ignores the path: put one in front of it, with [`warp::path::end`]. It answers every
/// request that reaches it and never rejects, as its error type shows: no route behind it is tried. The
/// response has its [`Verdict`] in its extensions.
pub fn record<H, A, F>(
    receiver: Receiver,
    handler: H,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static
where
    H: Fn(A) -> F + Clone + Send + Sync + 'static,
    A: From<Delivery> + Send + 'static,
    F: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    receive(receiver.clone()).then(move |received| {
        let (receiver, handler) = (receiver.clone(), handler.clone());
        async move {
            let pipeline = receiver.pipeline();
            let verdict = match received {
                Ok(Verified::Record(callback)) => {
                    let run = async move |delivery: Delivery| handler(delivery.into()).await.into();
                    pipeline.deliver(callback, run).await.0
                }
                Ok(Verified::Other(_)) => Verdict::Ignored,
                Err(rejection) => Rejection::verdict(&rejection),
            };
            respond(&pipeline.reply(verdict))
        }
    })
}

/// A filter that only verifies: it runs an `async fn` from a [`RecordCallback`] to any reply, such as
/// [`Ack`](crate::Ack), and answers every other request by itself. A reply such as `Result<Ack, String>` is
/// wrong: warp renders its error as `200`.
///
/// It reads and verifies the request and checks it for replays. It does not deduplicate: a retry runs
/// the handler again, the handler is dropped when the client disconnects, a panic closes the connection,
/// and [`Receiver::shutdown`] does not wait for it. Behind a [`RecordLayer`](crate::RecordLayer) it takes
/// the callback that the layer has verified, and reads nothing.
///
/// The handler is a parameter, since a filter that only extracted the callback would have to reject: warp
/// would then try the next route, which might answer a forged callback with `200`. Like [`record`], it
/// ignores the path and never rejects.
pub fn verified<H, F>(
    receiver: Receiver,
    handler: H,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static
where
    H: Fn(RecordCallback) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: Reply> + Send + 'static,
{
    let behind_a_layer =
        warp::ext::get::<RecordCallback>().map(|callback| Ok(Verified::Record(callback)));
    let received = behind_a_layer.or(receive(receiver.clone())).unify();
    received.then(move |received| {
        let (receiver, handler) = (receiver.clone(), handler.clone());
        async move {
            let verdict = match received {
                Ok(Verified::Record(callback)) => return handler(callback).await.into_response(),
                Ok(Verified::Other(_)) => Verdict::Ignored,
                Err(rejection) => Rejection::verdict(&rejection),
            };
            respond(&receiver.pipeline().reply(verdict))
        }
    })
}
