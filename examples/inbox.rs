//! Receives recording callbacks into an inbox, with axum: each is on disk before it is answered, and handled
//! for as long as it takes. `ZEGO_CALLBACK_SECRET=... cargo run --example inbox`
//!
//! The database is `zego-record.db`, or what `ZEGO_RECORD_DATABASE` names: a file or a `postgres://` URL.

#![allow(clippy::print_stderr)]

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, time::Duration};

use axum::Router;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use zego_record_axum::{
    CallbackSecret, ConfigError, HandlerError, InboxReceiver, Receiver, Verifier, inbox,
};
use zego_record_inbox::{Delivery, InboxStore, Worker};
use zego_record_postgres::PostgresStore;
use zego_record_sqlite::SqliteStore;

/// Writes a line of JSON for each recording; your handler would download it. It may take hours, and an error
/// is tried again for three days.
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
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

fn app(receiver: InboxReceiver) -> Router {
    Router::new().route("/zego/record", inbox(receiver))
}

async fn open_inbox() -> Result<Arc<dyn InboxStore>, Box<dyn Error>> {
    let database = env::var("ZEGO_RECORD_DATABASE").unwrap_or_else(|_| "zego-record.db".to_owned());
    if database.starts_with("postgres") {
        return Ok(Arc::new(PostgresStore::connect(&database).await?));
    }
    let path = database.strip_prefix("sqlite:").unwrap_or(&database);
    Ok(Arc::new(SqliteStore::open(path)?))
}

fn verifier() -> Result<Verifier, ConfigError> {
    let secrets = CallbackSecret::list_from_env("ZEGO_CALLBACK_SECRET")?;
    Verifier::builder().secrets(secrets).build()
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
    let verifier = verifier()?;
    let store = open_inbox().await?;
    let receiver = Receiver::builder(verifier).build_with_inbox(Arc::clone(&store))?;
    let worker = Worker::builder(store).build(on_record)?;
    let address = env::var("ZEGO_LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("cannot listen on {address} (ZEGO_LISTEN): {error}"))?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let working = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    let stop = stop(receiver.clone(), worker)?;
    axum::serve(listener, app(receiver))
        .with_graceful_shutdown(stop)
        .await?;
    working.await?;
    Ok(())
}

/// Waits for a signal, and then for what is under way. What the worker cannot finish it gives back, and the
/// next start goes on with it.
fn stop(receiver: InboxReceiver, worker: Worker) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::join!(receiver.shutdown(), worker.shutdown());
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
    use zego_record_inbox::MemoryInbox;
    use zego_record_testkit::RequestBuilder;
    use zego_record_testkit::fixtures::{SECRET, now, receiver};

    use super::*;

    #[tokio::test]
    async fn what_is_answered_with_1_is_handled_later() {
        let inbox = Arc::new(MemoryInbox::new());
        let worker = Worker::builder(Arc::clone(&inbox))
            .build(on_record)
            .unwrap();
        let app = app(receiver().build_with_inbox(inbox).unwrap());
        for (secret, status, body) in [(SECRET, 200, "1"), ("another", 401, "bad_signature")] {
            let request = RequestBuilder::new(secret, now()).path("/zego/record");
            let request = request.build().into_http().map(Body::from);
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), body);
        }
        assert_eq!(worker.run_due().await.unwrap(), 1);
    }
}
