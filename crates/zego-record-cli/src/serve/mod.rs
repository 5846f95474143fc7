//! `serve`: a receiver for an app in any language.
//!
//! A callback is verified, checked for replays and committed to the database before it is answered with
//! `1`; a worker then posts it to the app until that answers with a 2xx.

mod admin;
mod args;
mod client_address;
mod connections;
mod console;
pub(crate) mod database;
mod forward;
mod metrics;
mod origin;
mod reload;
mod tls;

use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use http::StatusCode;
use serde::Serialize;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tracing::{error, info, warn};
use tracing_subscriber::filter::LevelFilter;
use zego_record_axum::inbox;
use zego_record_inbox::{Schedule, Worker};
use zego_record_receiver::{InboxReceiver, Receiver};

use crate::cli::Status;
use crate::error::{Error, chain};
use crate::interrupt::interrupted;
use crate::io::Io;
use crate::server::bind;
use crate::tls::TlsArgs;
use crate::url;
use admin::Admin;
pub use args::ServeArgs;
use args::{ForwardArgs, Level};
use client_address::ClientLog;
use connections::Limits;
use console::Page;
use database::{Database, Place};
use forward::{Breaker, ForwardClient, Forwarder, Signer};
use origin::Origin;
use reload::{Again, Watch};
use tls::Tls;

/// What the handler adds to the app's own time limit, which ends an attempt with a better reason.
const HANDLER_MARGIN: Duration = Duration::from_secs(10);
const SHORTEST_PROBE: Duration = Duration::from_millis(20);
/// Reached by doubling, whatever the schedule.
const FAST_PROBE: Duration = Duration::from_secs(1);
const FIRST_PROBE: Duration = Duration::from_secs(5);
const LONGEST_PROBE: Duration = Duration::from_secs(60);
const ADMIN_CONNECTIONS: usize = 64;

/// What was configured, checked; nothing of it is under way yet.
struct Setup {
    origin: Origin,
    receiver: zego_record_core::Verifier,
    place: Place,
    forwarder: Option<Forwarding>,
    tls: Option<Tls>,
    page: Page,
}

struct Forwarding {
    forwarder: Arc<Forwarder>,
    breaker: Arc<Breaker>,
    secret_file: Option<PathBuf>,
    /// From before it is read for the first time, so that no change is missed.
    watch: Watch,
}

impl Forwarding {
    /// Reads the forward secrets again when their file has changed, or somebody asks for it. Never ends.
    async fn follow(&self, again: Again) {
        reload::follow(self.watch.clone(), again, || {
            match Signer::load(self.secret_file.as_ref()) {
                Ok(signer) => {
                    self.forwarder.replace_signer(signer);
                    info!("the forward secrets were read again");
                }
                Err(error) => error!("the old forward secrets stay in use: {}", chain(&error)),
            }
        })
        .await;
    }
}

pub(crate) fn run(args: &ServeArgs, io: &mut Io<'_>) -> Result<Status, Error> {
    if !is_path(&args.path) {
        return Err(Error::new(
            "--path begins with /, has letters, digits and -._~!$&'()*+,;=:@% as URLs have them, and no part of it begins with : or *",
        ));
    }
    let setup = Setup::new(args)?;
    if args.dry_run {
        Plan::new(args, &setup).print(args.json, io)?;
        return Ok(Status::Fine);
    }
    start_log(args.log, io.err_color);
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::with_source("cannot start the runtime", error))?;
    runtime.block_on(serve(args, setup, io))?;
    // A statement that hangs in the database must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(Status::Fine)
}

/// A path as it comes in a request, and without what the router takes for a pattern.
fn is_path(path: &str) -> bool {
    let is_of_url =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
    path.starts_with('/')
        && path.bytes().all(is_of_url)
        && !path.split('/').any(|part| part.starts_with([':', '*']))
}

async fn serve(args: &ServeArgs, setup: Setup, io: &mut Io<'_>) -> Result<(), Error> {
    // First of all, since a SIGHUP that nobody waits for ends the process.
    let again = (Again::new(), Again::new(), Again::new());
    let database = setup.place.open().await?;
    for warning in database.warnings() {
        warn!("{warning}");
    }
    let unusable = |error| Error::with_source("cannot set up the receiver", error);
    let (rejected, quarantined) = (setup.page.rejections.clone(), setup.page.rejections.clone());
    let receiver = Receiver::builder(setup.receiver)
        .on_rejected(move |request| rejected.record(request))
        .on_quarantine(move |request| quarantined.record_quarantined(request))
        .build_with_inbox(database.accept())
        .map_err(unusable)?;
    let worker = setup
        .forwarder
        .as_ref()
        .map(|forwarding| worker(args, &database, forwarding))
        .transpose()?;
    let (listener, address) = bind("--listen", args.listen).await?;
    let (admin_listener, admin_address) = bind("--admin", args.admin.admin).await?;
    let breaker = setup
        .forwarder
        .as_ref()
        .map(|forwarding| Arc::clone(&forwarding.breaker));
    let console = setup.page.console(
        &args.admin,
        database.inbox(),
        setup.origin.policy(),
        breaker.clone(),
    )?;
    let admin = Admin {
        inbox: database.inbox(),
        receiver: receiver.clone(),
        worker: worker.clone(),
        breaker,
        directory: database.directory().map(Into::into),
    };
    let scheme = if setup.tls.is_some() { "https" } else { "http" };
    writeln!(io.err, "listening on {scheme}://{address}")?;
    let url = setup.page.url(&console, admin_address);
    writeln!(io.err, "operator page on {url}")?;

    let (stopping, stopped) = watch::channel(false);
    let stop = || {
        let mut stopped = stopped.clone();
        async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
    };
    let limits = Limits {
        total: args.connections.max_connections,
        per_address: args.connections.max_connections_per_address,
        unlimited: args.connections.proxies(),
    };
    let app = app(args, receiver.clone());
    let public = tokio::spawn(connections::serve(
        listener,
        app,
        limits,
        setup.tls.clone(),
        stop(),
    ));
    let admin_limits = Limits {
        total: ADMIN_CONNECTIONS,
        per_address: ADMIN_CONNECTIONS,
        unlimited: Vec::new(),
    };
    let admin = connections::serve(
        admin_listener,
        admin.router().merge(console.router()),
        admin_limits,
        None,
        stop(),
    );
    let admin = tokio::spawn(admin);
    // A task: if its future were dropped, what runs would be stopped instead of given back.
    if let Some(worker) = worker.clone() {
        tokio::spawn(async move { worker.run().await });
    }
    let certificates = async {
        match &setup.tls {
            Some(tls) => tls.follow(again.0).await,
            None => pending().await,
        }
    };
    let forward_secrets = async {
        match &setup.forwarder {
            Some(forwarding) => forwarding.follow(again.2).await,
            None => pending().await,
        }
    };
    tokio::select! {
        interrupted = interrupted() => {
            interrupted.map_err(|error| Error::with_source("cannot wait for signals", error))?;
        }
        () = certificates => {}
        () = forward_secrets => {}
        () = setup.origin.follow(&receiver, again.1) => {}
    }
    stopping.send_replace(true);
    shut_down(&receiver, worker.as_ref()).await;
    let _ = tokio::join!(public, admin);
    Ok(())
}

async fn shut_down(receiver: &InboxReceiver, worker: Option<&Worker>) {
    let working = async {
        if let Some(worker) = worker {
            worker.shutdown().await;
        }
    };
    tokio::join!(receiver.shutdown(), working);
}

impl Setup {
    fn new(args: &ServeArgs) -> Result<Self, Error> {
        let origin = Origin::new(&args.origin)?;
        let connections = &args.connections;
        let tls = match (&connections.tls_cert, &connections.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls::load(certificate, key)?),
            _ => None,
        };
        for (name, value) in [
            ("--max-connections", connections.max_connections),
            (
                "--max-connections-per-address",
                connections.max_connections_per_address,
            ),
            ("--concurrency", args.forward.concurrency),
        ] {
            if value == 0 {
                return Err(Error::new(format!("{name} is 0: nothing would be served")));
            }
        }
        if args.forward.timeout.is_zero() {
            return Err(Error::new("--timeout is 0: no app answers in no time"));
        }
        Ok(Self {
            receiver: origin.verifier()?,
            origin,
            place: Place::parse(&args.database)?,
            forwarder: forwarding(&args.forward)?,
            tls,
            page: Page::new(&args.admin)?,
        })
    }
}

fn forwarding(args: &ForwardArgs) -> Result<Option<Forwarding>, Error> {
    let Some(url) = &args.forward else {
        return Ok(None);
    };
    let url = url::parse(url)?;
    let secret_file = args.forward_secret_file.clone();
    let watch = Watch::new(secret_file.clone());
    let signer = Signer::load(secret_file.as_ref()).map_err(|error| {
        Error::with_source(
            "--forward needs a secret to sign with, by which your app knows that a callback is from here: set ZEGO_RECORD_FORWARD_SECRET or use --forward-secret-file",
            error,
        )
    })?;
    let tls = TlsArgs {
        insecure: false,
        ca: args.forward_ca.clone(),
    };
    let client = ForwardClient::new(url, args.timeout, &tls)
        .map_err(|error| Error::with_source("cannot use --forward or --forward-ca", error))?;
    let (first, longest) = probe_pauses(&args.retry);
    let breaker = Arc::new(Breaker::new(first, longest));
    let forwarder = Arc::new(Forwarder::new(
        client,
        signer,
        Arc::clone(&breaker),
        args.retry.clone(),
    ));
    Ok(Some(Forwarding {
        forwarder,
        breaker,
        secret_file,
        watch,
    }))
}

/// The first and the longest pause between two probes of a destination that is down. A schedule that is sped
/// up, as in a test, speeds them up as well, but never so far that probes follow each other without a pause:
/// there is no end to them.
fn probe_pauses(retry: &Schedule) -> (Duration, Duration) {
    let first = retry.delay_after(1).unwrap_or(FIRST_PROBE);
    let first = first.clamp(SHORTEST_PROBE, FIRST_PROBE);
    let last = retry.delay_after(retry.max_attempts().saturating_sub(1));
    let longest = last.unwrap_or(LONGEST_PROBE);
    (first, longest.clamp(first.max(FAST_PROBE), LONGEST_PROBE))
}

fn worker(args: &ServeArgs, database: &Database, forwarding: &Forwarding) -> Result<Worker, Error> {
    let breaker = Arc::clone(&forwarding.breaker);
    let forwarder = Arc::clone(&forwarding.forwarder);
    Worker::builder(database.inbox())
        .schedule(args.forward.retry.clone())
        .concurrency(args.forward.concurrency)
        .handler_timeout(args.forward.timeout.saturating_add(HANDLER_MARGIN))
        .keep_done(args.keep)
        .claim_limit(move || breaker.claim_limit())
        .build(move |delivery| {
            let forwarder = Arc::clone(&forwarder);
            async move { forwarder.forward(delivery).await }
        })
        .map_err(|error| Error::with_source("cannot set up forwarding", error))
}

fn app(args: &ServeArgs, receiver: InboxReceiver) -> Router {
    let clients = ClientLog::new(args.connections.proxies());
    let watch =
        axum::middleware::from_fn(move |request, next| Arc::clone(&clients).watch(request, next));
    Router::new()
        .route(&args.path, inbox(receiver))
        .fallback(any(async || StatusCode::NOT_FOUND))
        .layer(watch)
}

fn start_log(level: Level, color: bool) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    // Somebody who runs this as a library may have a subscriber already.
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .with_max_level(level)
        .try_init();
}

/// What `--dry-run` prints.
#[derive(Debug, Serialize)]
struct Plan {
    listen: SocketAddr,
    path: String,
    tls: bool,
    database: String,
    forward: Option<String>,
    retry: String,
    concurrency: usize,
    timeout_seconds: f64,
    keep_seconds: f64,
    replay_url_hosts: Vec<String>,
    admin: SocketAddr,
    admin_actions: bool,
}

/// A query may hold a token.
fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

impl Plan {
    fn new(args: &ServeArgs, setup: &Setup) -> Self {
        Self {
            listen: args.listen,
            path: args.path.clone(),
            tls: setup.tls.is_some(),
            database: setup.place.describe(),
            forward: args.forward.forward.as_deref().map(without_query),
            retry: args.forward.retry.to_string(),
            concurrency: args.forward.concurrency,
            timeout_seconds: args.forward.timeout.as_secs_f64(),
            keep_seconds: args.keep.as_secs_f64(),
            replay_url_hosts: args.origin.replay_url_host.clone(),
            admin: args.admin.admin,
            admin_actions: args.admin.admin_actions,
        }
    }

    fn print(&self, json: bool, io: &mut Io<'_>) -> Result<(), Error> {
        if json {
            return io.print_json(self);
        }
        let scheme = if self.tls { "https" } else { "http" };
        let forward = self.forward.as_deref();
        let policy = if self.replay_url_hosts.is_empty() {
            "any".to_owned()
        } else {
            self.replay_url_hosts.join(", ")
        };
        for (name, value) in [
            (
                "receive",
                format!("{scheme}://{}{}", self.listen, self.path),
            ),
            ("database", self.database.clone()),
            (
                "forward",
                forward
                    .unwrap_or("nowhere, callbacks wait in the inbox")
                    .to_owned(),
            ),
            ("retry after", self.retry.clone()),
            ("replay_url hosts", policy),
            ("operator's page", format!("http://{}/", self.admin)),
        ] {
            writeln!(io.out, "{name:<17} {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_never_follow_each_other_without_a_pause() {
        for (schedule, milliseconds) in [
            ("0s", (20, 1_000)),
            ("0s,0s", (20, 1_000)),
            ("20ms,80ms", (20, 1_000)),
            ("5s,30s,2m", (5_000, 60_000)),
            ("1h,1s", (5_000, 5_000)),
        ] {
            let (first, longest) = probe_pauses(&schedule.parse().unwrap());
            assert_eq!((first.as_millis(), longest.as_millis()), milliseconds);
        }
    }
}
