//! `listen`: a receiver for development.
//!
//! It has the library's whole pipeline, and a handler that shows what it gets and does nothing else, unless it
//! has to fail or to pass requests on.
//!
//! # Capture
//!
//! With `--save DIR` each request whose body was read is kept as two files, `DIR/N.body`, the bytes as they came,
//! and `DIR/N.headers`, the request line and a header a line. Only their owner can read them. They are for
//! `verify DIR/N.body`, `send URL --body DIR/N.body`, which signs them anew, and `resend DIR/N URL`, which sends
//! them as they came.
//!
//! # Passing on
//!
//! With `--forward-to URL` a request for which the handler runs, so one that is genuine, fresh and no duplicate,
//! goes to that URL with the same body and headers, except for `Host` and those that belong to a connection. A
//! 2xx is answered `1`; any other answer of the app is passed back, so that ZEGOCLOUD tries again.
//!
//! # JSON
//!
//! With `--json` it prints one line for each event; `kind` says which:
//!
//! | `kind` | members |
//! |---|---|
//! | `delivery` | the handler was run: `request`, `attempt`, `changed`, `outcome` (`handled`, `failed`, `timed_out`, `panicked`), `status`, `forwarded`, the app's answer as in `send`, and `callback`, all that it says |
//! | `rejected` | `request`, `verdict`, `status`, `reason`, `signed` |
//! | `diagnosis` | after a `bad_signature`, or if the body is no callback but something known: `number` of the request, `mistakes` and `notes` as in `verify`, `skipped`, how many before it came too fast to be examined |
//! | `ignored` | another event than `record`: `request`, `event` |
//! | `answered` | the handler was not run: `request`, `verdict` (`duplicate`, `in_progress`, `busy`, ..) and `status` |
//! | `connection` | no HTTP request came over it: `peer`, `problem` |
//! | `omitted` | `events` that came faster than they could be printed |
//! | `totals` | at the end: `answers`, the number of each verdict that was given |
//!
//! `request` is `{"number", "method", "path", "content_type", "bytes", "body", "saved", "not_saved"}`, of which the
//! last three are there with `--show-body` and `--save`.

mod doctor;
mod event;
mod fail;
mod forward;
mod save;
mod session;
mod show;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Builder;
use tokio::time::timeout;
use zego_record_core::Verifier;
use zego_record_receiver::Receiver;

use crate::cli::Status;
use crate::error::Error;
use crate::interrupt::interrupted;
use crate::io::Io;
use crate::secrets::{Also, Secret, SecretArgs, SecretText};
use crate::server;
use crate::tls::TlsArgs;
use doctor::Doctor;
use event::{Event, Events};
use fail::{Failing, Failure};
use forward::Forward;
use save::Saver;
use session::Session;

/// How long what is being examined at the end may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Receive callbacks and show them: a receiver for development
///
/// Takes callbacks on every path and shows each delivery, and each rejection with its reason. On a signature that
/// does not match it looks for the mistake, as `verify` does. The answers are those of the library: 1 for a
/// delivery, one word for a rejection. Ctrl-C ends it with the totals.
///
/// With --save each request is kept in two files, DIR/N.body and DIR/N.headers, for `verify`, `send --body` and
/// `resend`. With --forward-to a genuine request is passed on to your app as it came, and both answers are shown.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: receive, and try it from another terminal
  export ZEGO_CALLBACK_SECRET=the-callback-secret-from-the-console
  zego-record listen
  zego-record send http://127.0.0.1:3000/zego/record

Example: fail twice, to see the retries
  zego-record listen --fail 404 --times 2

Example: keep what comes, pass it on to an app, and send the first request to it again
  zego-record listen --save captured --forward-to http://127.0.0.1:8000/zego/record
  zego-record resend captured/1 http://127.0.0.1:8000/zego/record

With --json: one line for each event, {\"kind\": \"delivery\" | \"rejected\" | \"diagnosis\" | \"ignored\" |
\"answered\" | \"connection\" | \"omitted\" | \"totals\", ..}")]
pub struct ListenArgs {
    #[command(flatten)]
    secret: SecretArgs,

    /// Where to listen; port 0 chooses one, which is printed on standard error
    #[arg(
        long,
        visible_alias = "addr",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:3000",
        value_parser = resolve
    )]
    listen: SocketAddr,

    /// How the handler fails: a status from 200 to 599, timeout or panic
    #[arg(long, value_name = "HOW")]
    fail: Option<Failure>,

    /// How many runs of the handler fail
    #[arg(long, value_name = "N", default_value_t = 1, requires = "fail")]
    times: u64,

    /// Save each request in DIR, as N.body and N.headers
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,

    /// How many requests to save, 64 MiB at most
    #[arg(long, value_name = "N", default_value_t = 1_000, requires = "save")]
    save_limit: u64,

    /// Show each body, with the signature that it came with
    #[arg(long)]
    show_body: bool,

    /// Pass genuine requests on to the app at URL
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,

    #[command(flatten)]
    tls: TlsArgs,

    /// Another secret that a sender may use by mistake: NAME=FILE, or NAME=env:VARIABLE. Repeatable
    #[arg(long, value_name = "NAME=PLACE")]
    also: Vec<SecretText>,

    /// Print one JSON document a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ListenArgs, io: &mut Io<'_>) -> Result<Status, Error> {
    args.tls.warn(args.forward_to.as_deref(), io)?;
    let (events, mut received) = Events::channel();
    let session = Arc::new(args.session(events.clone(), io)?);
    let receiver = session.receiver.clone();

    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::with_source("cannot start the runtime", error))?;
    runtime.block_on(async {
        let (listener, address) = server::bind("--listen", args.listen).await?;
        writeln!(io.err, "listening on http://{address}")?;
        let stop = async {
            // Without a handler for signals, the default one ends the process.
            if interrupted().await.is_err() {
                std::future::pending::<()>().await;
            }
            receiver.shutdown().await;
        };
        let on_problem = move |peer, problem| events.send(Event::connection(peer, problem));
        let app = session::app(session);
        {
            let mut serving = std::pin::pin!(server::serve(listener, app, on_problem, stop));
            loop {
                tokio::select! {
                    biased;
                    Some(event) = received.recv() => show::event(&event, args.json, io)?,
                    () = &mut serving => break,
                }
            }
        }
        // By now everybody who sends events has ended, except for a doctor.
        while let Ok(Some(event)) = timeout(LAST_WORDS, received.recv()).await {
            show::event(&event, args.json, io)?;
        }
        Ok::<_, Error>(())
    })?;
    show::totals(&receiver.counters(), args.json, io)?;
    Ok(Status::Fine)
}

impl ListenArgs {
    fn session(&self, events: Events, io: &mut Io<'_>) -> Result<Session, Error> {
        let secrets = self.secret.given(io)?;
        let others = self.also.iter().map(|value| Also::new(value)?.read());
        let others = others.collect::<Result<Vec<_>, _>>()?;
        let forward = self.forward_to.as_deref();
        let saver = self.save.as_deref();
        let saver = saver
            .map(|dir| Saver::new(dir, self.save_limit))
            .transpose()?;
        // So that a request and its files have the same number.
        let requests = AtomicU64::new(saver.as_ref().map_or(0, Saver::last));
        Ok(Session {
            receiver: receiver(&secrets)?,
            events,
            failing: Failing::new(self.fail, self.times),
            forward: forward
                .map(|url| Forward::new(url, &self.tls))
                .transpose()?,
            saver,
            doctor: Doctor::new(secrets, others),
            show_body: self.show_body,
            requests,
        })
    }
}

/// An address of a host, `localhost` for example; of several one that most clients try.
fn resolve(text: &str) -> Result<SocketAddr, String> {
    let addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    let addresses: Vec<_> = addresses.collect();
    let chosen = addresses.iter().find(|address| address.is_ipv4());
    let chosen = chosen.or(addresses.first());
    chosen
        .copied()
        .ok_or_else(|| "the host has no address".to_owned())
}

fn receiver(secrets: &[Secret]) -> Result<Receiver, Error> {
    let unusable = |error| Error::with_source("cannot set up the receiver", error);
    let mut verifier = Verifier::builder();
    for secret in secrets {
        verifier = verifier.secret(secret.to_callback_secret()?);
    }
    Receiver::builder(verifier.build().map_err(unusable)?)
        .build()
        .map_err(unusable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listens_on_a_host_by_its_name() {
        assert!(resolve("localhost:4222").unwrap().ip().is_loopback());
        assert!(resolve("127.0.0.1:0").is_ok());
        assert!(resolve("localhost").is_err());
    }
}
