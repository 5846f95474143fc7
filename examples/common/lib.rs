//! What the examples share, so that all of them behave alike whatever their framework.
//!
//! Each reads its secrets from `ZEGO_CALLBACK_SECRET` (several, separated by commas, while one is being
//! replaced) and its address from `ZEGO_LISTEN` (`127.0.0.1:3000` unless set), serves
//! `POST /zego/record`, logs to stderr, writes one line of JSON to stdout for every run of the handler,
//! and stops on SIGTERM and SIGINT.

use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use zego_record_core::{CallbackSecret, ConfigError, UnixSeconds, Vendor, Verifier};
use zego_record_receiver::{Delivery, HandlerError, Receiver};

/// How long connections may stay open after the server was told to stop.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(15);

/// Resolves when the server is to stop: after a signal, when the handlers that ran have come to their
/// end. Until then, callbacks are answered `503`.
pub type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Listens, and runs a server until it ends. A mistake in the configuration is exit status 2.
pub async fn run<S, F>(serve: S) -> ExitCode
where
    S: FnOnce(TcpListener, Receiver, Stop) -> F,
    F: Future<Output = Result<(), Box<dyn Error>>>,
{
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let (receiver, listener) = match start().await {
        Ok(started) => started,
        Err(error) => return fail(&*error, ExitCode::from(2)),
    };
    let stop = Box::pin({
        let receiver = receiver.clone();
        async move {
            signalled().await;
            receiver.shutdown().await;
        }
    });
    // A client that never ends its request must not keep the server from ending.
    let overdue = async {
        signalled().await;
        tokio::time::sleep(SHUTDOWN_WITHIN).await;
    };
    let served = tokio::select! {
        served = serve(listener, receiver, stop) => served,
        () = overdue => Ok(()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error, ExitCode::FAILURE),
    }
}

/// A receiver with the secrets of the environment, and otherwise as it comes.
///
/// # Errors
///
/// If there is no secret, or none that can be used.
pub fn receiver_from_env() -> Result<Receiver, ConfigError> {
    let secrets = CallbackSecret::list_from_env("ZEGO_CALLBACK_SECRET")?;
    Receiver::builder(Verifier::builder().secrets(secrets).build()?).build()
}

/// The handler of all examples: writes what there is to know about a recording as a line of JSON.
///
/// # Errors
///
/// If stdout is closed; ZEGOCLOUD then tries again.
pub async fn on_record(delivery: Delivery) -> Result<(), HandlerError> {
    let mut line = serde_json::to_vec(&Line::of(&delivery))?;
    line.push(b'\n');
    io::stdout().lock().write_all(&line)?;
    Ok(())
}

async fn signalled() {
    let wait = async |kind| match signal(kind) {
        Ok(mut signals) => signals.recv().await,
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        _ = wait(SignalKind::terminate()) => {}
        _ = wait(SignalKind::interrupt()) => {}
    }
}

async fn start() -> Result<(Receiver, TcpListener), Box<dyn Error>> {
    let receiver = receiver_from_env()?;
    let address = match env::var("ZEGO_LISTEN") {
        Ok(address) => address,
        Err(_) => "127.0.0.1:3000".to_owned(),
    };
    let address: SocketAddr = address.parse().map_err(|error| {
        format!("ZEGO_LISTEN is no address with a port, such as 127.0.0.1:3000: {error}")
    })?;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address}, choose another address with ZEGO_LISTEN: {error}")
    })?;
    // With port 0, only this line tells where the server is.
    writeln!(
        io::stderr(),
        "listening on http://{}",
        listener.local_addr()?
    )?;
    Ok((receiver, listener))
}

fn fail(error: &dyn Error, status: ExitCode) -> ExitCode {
    // If even stderr is closed, the exit status has to do.
    let _ = writeln!(io::stderr(), "error: {error}");
    status
}

#[derive(Serialize)]
struct Line<'a> {
    event_id: String,
    appid: &'a str,
    stream_alias: &'a str,
    replay_url: &'a str,
    begin_time: UnixSeconds,
    end_time: UnixSeconds,
    timestamp: UnixSeconds,
    nonce: &'a str,
    vendor: Option<&'static str>,
    task_id: Option<&'a str>,
    file_id: Option<&'a str>,
    duration: Option<f64>,
    file_size: Option<u64>,
    extra_params: Option<&'a str>,
    attempt: u32,
    changed: bool,
}

impl<'a> Line<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        let callback = delivery.callback();
        let extra_params = callback.extra_params();
        let vendor = extra_params.vendor();
        Self {
            event_id: callback.event_id(),
            appid: callback.appid(),
            stream_alias: callback.stream_alias(),
            replay_url: callback.replay_url(),
            begin_time: callback.begin_time(),
            end_time: callback.end_time(),
            timestamp: callback.timestamp(),
            nonce: callback.nonce(),
            vendor: vendor.map(Vendor::name),
            task_id: extra_params.task_id(),
            file_id: extra_params.file_id(),
            duration: extra_params
                .duration()
                .map(|duration| duration.as_secs_f64()),
            file_size: extra_params.file_size(),
            // Once a vendor is recognised, its members have said it all.
            extra_params: extra_params.text().filter(|_| vendor.is_none()),
            attempt: delivery.attempt(),
            changed: delivery.is_changed(),
        }
    }
}

/// For the tests of the examples.
pub mod testing {
    use std::time::SystemTime;

    use super::{CallbackSecret, ConfigError, Receiver, UnixSeconds, Verifier};

    /// A secret for tests.
    pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

    /// A receiver that knows it.
    ///
    /// # Errors
    ///
    /// None, with this secret.
    pub fn receiver() -> Result<Receiver, ConfigError> {
        let secret = CallbackSecret::new(SECRET)?;
        Receiver::builder(Verifier::builder().secret(secret).build()?).build()
    }

    /// The current time.
    pub fn now() -> UnixSeconds {
        SystemTime::now().into()
    }
}
