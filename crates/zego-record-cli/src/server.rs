//! A receiver behind a socket, for `listen` and `demo`.

use std::net::SocketAddr;

use axum::Router;
use axum::http::Response;
use tokio::net::TcpListener;
use zego_record_axum::record;
use zego_record_core::Verdict;
use zego_record_receiver::{Delivery, HandlerError, Receiver};

use crate::error::Error;

/// Listens on `address`; with port 0 the system chooses one.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let cannot = |error| {
        Error::with_source(
            format!("cannot listen on {address}, choose another --addr"),
            error,
        )
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, address))
}

/// An app that takes callbacks on every path, and tells `on_answer` how each request was answered.
pub(crate) fn app<H, F>(
    receiver: Receiver,
    handler: H,
    on_answer: impl Fn(Verdict) + Clone + Send + Sync + 'static,
) -> Router
where
    H: Fn(Delivery) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    let watch = axum::middleware::map_response(move |response: Response<axum::body::Body>| {
        if let Some(verdict) = response.extensions().get() {
            on_answer(*verdict);
        }
        std::future::ready(response)
    });
    let callbacks: Router = Router::new()
        .route("/", record(receiver.clone(), handler.clone()))
        .route("/{*path}", record(receiver, handler));
    callbacks.layer(watch)
}

/// Serves until `stop` is ready and what was under way has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await
        .map_err(|error| Error::with_source("the server has failed", error))
}
