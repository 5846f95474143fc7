//! Receives recording callbacks with a bare hyper server and tower services, and waits only so long for
//! the headers of a request: `ZEGO_CALLBACK_SECRET=... cargo run --example tower`

#![allow(clippy::print_stderr)]

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, Write as _};
use std::pin::pin;
use std::process::ExitCode;
use std::{env, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::{ServiceBuilder, ServiceExt, service_fn, util::BoxCloneService};
use zego_record_tower::{Delivery, HandlerError, Receiver, RecordLayer};

/// Writes a line of JSON for each recording; your handler would write to a database.
async fn on_record(delivery: Delivery) -> Result<(), HandlerError> {
    let recording = delivery.callback();
    let vendor_data = recording.extra_params();
    let line = json!({
        "event_id": recording.event_id(),
        "appid": recording.appid(),
        "stream_alias": recording.stream_alias(),
        "replay_url": recording.replay_url(),
        "begin_time": recording.begin_time(),
        "end_time": recording.end_time(),
        "timestamp": recording.timestamp(),
        "nonce": recording.nonce(),
        "vendor": vendor_data.vendor(),
        "task_id": vendor_data.task_id(),
        "file_id": vendor_data.file_id(),
        "duration": vendor_data.duration().map(|duration| duration.as_secs_f64()),
        "file_size": vendor_data.file_size(),
        "extra_params": vendor_data.text().filter(|_| vendor_data.vendor().is_none()),
        "attempt": delivery.attempt(),
        "changed": delivery.is_changed(),
    });
    // An error is answered with 500, and ZEGOCLOUD tries again.
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

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
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let receiver = Receiver::from_env()?; // the secrets in ZEGO_CALLBACK_SECRET
    let address = env::var("ZEGO_LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on {address} (ZEGO_LISTEN): {error}"))?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let mut stop = pin!(stop(receiver.clone())?);
    let app = app::<Incoming>(receiver);
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Such as too many open files: those that are open will end.
                Err(_) => continue,
            },
            () = &mut stop => break,
        };
        // With a timer, a client has 30 seconds for the headers of a request.
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone()));
        tokio::spawn(connections.watch(connection));
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

/// Waits for a signal, and then for the handlers that are running; new callbacks are answered with 503.
fn stop(receiver: Receiver) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        receiver.shutdown().await;
        // A client that never ends its request must not keep the process alive.
        tokio::spawn(async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            std::process::exit(0);
        });
    })
}

#[cfg(test)]
mod tests {
    use zego_record_testkit::RequestBuilder;
    use zego_record_testkit::fixtures::{SECRET, now, receiver};

    use super::*;

    #[tokio::test]
    async fn answers_1_to_a_signed_callback_and_rejects_another() {
        let app = app::<Full<Bytes>>(receiver().build().unwrap());
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
