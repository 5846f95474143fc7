//! Receives recording callbacks with axum: `ZEGO_CALLBACK_SECRET=... cargo run --example axum`

#![allow(clippy::print_stderr)]

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::{env, time::Duration};

use axum::Router;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use zego_record_axum::{Delivery, HandlerError, Receiver, record};

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

fn app(receiver: Receiver) -> Router {
    Router::new().route("/zego/record", record(receiver, on_record))
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
    let stop = stop(receiver.clone())?;
    axum::serve(listener, app(receiver))
        .with_graceful_shutdown(stop)
        .await?;
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
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;
    use zego_record_testkit::RequestBuilder;
    use zego_record_testkit::fixtures::{SECRET, now, receiver};

    use super::*;

    #[tokio::test]
    async fn answers_1_to_a_signed_callback_and_rejects_another() {
        let app = app(receiver().build().unwrap());
        for (secret, status, body) in [(SECRET, 200, "1"), ("another", 401, "bad_signature")] {
            let request = RequestBuilder::new(secret, now()).path("/zego/record");
            let request = request.build().into_http().map(Body::from);
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), body);
        }
    }
}
