//! Receives recording callbacks with a bare hyper server and tower services:
//! `ZEGO_CALLBACK_SECRET=... cargo run --example tower`

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::process::ExitCode;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt, service_fn, util::BoxCloneService};
use zego_record_examples::{Stop, on_record, run};
use zego_record_receiver::{Delivery, Receiver};
use zego_record_tower::RecordLayer;

type App<B> = BoxCloneService<Request<B>, Response<BoxBody<Bytes, Infallible>>, Infallible>;

fn app<B>(receiver: Receiver) -> App<B>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    let callbacks = ServiceBuilder::new()
        .layer(RecordLayer::new(receiver))
        .service_fn(on_callback);
    let route = service_fn(move |request: Request<B>| {
        let callbacks = callbacks.clone();
        async move {
            if request.uri().path() == "/zego/record" {
                Ok(callbacks.oneshot(request).await?.map(BodyExt::boxed))
            } else {
                Ok(status(StatusCode::NOT_FOUND).map(BodyExt::boxed))
            }
        }
    });
    BoxCloneService::new(route)
}

/// The inner service: it finds the delivery in the request's extensions.
async fn on_callback(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let handled = match request.extensions().get::<Delivery>() {
        Some(delivery) => on_record(delivery.clone()).await,
        None => Err("no layer in front of this service".into()),
    };
    Ok(status(if handled.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    }))
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[tokio::main]
async fn main() -> ExitCode {
    run(serve).await
}

async fn serve(
    listener: TcpListener,
    receiver: Receiver,
    stop: Stop,
) -> Result<(), Box<dyn Error>> {
    let app = app::<Incoming>(receiver);
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Such as too many open files: those that are open will end.
                Err(_) => continue,
            },
            () = &mut stop => break,
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone()));
        tokio::spawn(connections.watch(connection));
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use zego_record_testkit::RequestBuilder;

    use super::*;
    use zego_record_examples::testing::{SECRET, now, receiver};

    #[tokio::test]
    async fn answers_1_to_a_signed_callback_and_rejects_another() {
        let app = app::<Full<Bytes>>(receiver().unwrap());
        for (secret, path, status, body) in [
            (SECRET, "/zego/record", 200, "1"),
            ("another", "/zego/record", 401, "bad_signature"),
            (SECRET, "/elsewhere", 404, ""),
        ] {
            let mut request = RequestBuilder::new(secret, now())
                .build()
                .into_http()
                .map(Full::new);
            *request.uri_mut() = path.parse().unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(
                response.into_body().collect().await.unwrap().to_bytes(),
                body
            );
        }
    }
}
