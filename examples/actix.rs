//! Receives recording callbacks with actix-web: `ZEGO_CALLBACK_SECRET=... cargo run --example actix`

#![allow(clippy::print_stderr)]

use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use actix_web::{App, HttpServer, web::ServiceConfig};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use zego_record_actix::{Delivery, HandlerError, Receiver, record};

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

fn app(receiver: Receiver) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.route("/zego/record", record(receiver, on_record));
    }
}

#[actix_web::main]
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
    let stop = stop(receiver.clone())?;
    // Every worker gets a clone of the one receiver.
    let server = HttpServer::new(move || App::new().configure(app(receiver.clone())))
        .disable_signals()
        .shutdown_timeout(10)
        .bind(&address)
        .map_err(|error| format!("cannot listen on {address} (ZEGO_LISTEN): {error}"))?;
    for address in server.addrs() {
        eprintln!("listening on http://{address}");
    }
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(async move {
        stop.await;
        handle.stop(true).await;
    });
    Ok(server.await?)
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
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use zego_record_testkit::RequestBuilder;
    use zego_record_testkit::fixtures::{SECRET, now, receiver};

    use super::*;

    #[actix_web::test]
    async fn answers_1_to_a_signed_callback_and_rejects_another() {
        let app = init_service(App::new().configure(app(receiver().build().unwrap()))).await;
        for (secret, status, body) in [(SECRET, 200, "1"), ("another", 401, "bad_signature")] {
            let signed = RequestBuilder::new(secret, now()).build();
            let request = TestRequest::post()
                .uri("/zego/record")
                .set_payload(signed.body().to_vec());
            let response = call_service(&app, request.to_request()).await;
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(read_body(response).await, body);
        }
    }
}
