//! `listen`: a receiver for development.
//!
//! It goes all the way, with a handler that shows what it gets and does nothing else, unless it is told to
//! fail.
//!
//! With `--json` it prints one line for each event; `kind` says which:
//!
//! | `kind` | members |
//! |---|---|
//! | `delivery` | the handler was run: `attempt`, `changed`, `outcome` (`handled`, `failed`, `timed_out`, `panicked`) and `callback`, all that it says |
//! | `rejected` | `verdict`, `status`, `reason`, `signed` |
//! | `ignored` | another event than `record`: `event` |
//! | `answered` | the handler was not run: `verdict` (`duplicate`, `in_progress`, `busy`, ..) and `status` |
//! | `omitted` | `events` that came faster than they could be printed |
//! | `totals` | at the end: `answers`, the number of each verdict that was given |

mod event;
mod fail;
mod show;

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use clap::Args;
use tokio::runtime::Builder;
use zego_record_core::Verifier;
use zego_record_receiver::{Delivery, HandlerError, Receiver};

use crate::cli::Status;
use crate::error::Error;
use crate::interrupt::interrupted;
use crate::io::Io;
use crate::secrets::{Secret, SecretArgs};
use crate::server;
use event::{Event, Events};
use fail::{Failing, Failure};

/// Receive callbacks and show them: a receiver for development
///
/// Takes callbacks on every path and shows each delivery, and each rejection with the reason spelled out. The
/// answers are those of the library: 1 for a delivery, one word for a rejection. Ctrl-C ends it with the
/// totals.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: receive, and try it from another terminal
  export ZEGO_CALLBACK_SECRET=the-callback-secret-from-the-console
  zego-record listen
  zego-record send http://127.0.0.1:3000/zego/record

Example: fail twice, to see the retries
  zego-record listen --fail 500 --times 2

With --json: one line for each event, {\"kind\": \"delivery\" | \"rejected\" | \"ignored\" | \"answered\" | \"omitted\" |
\"totals\", ..}")]
pub struct ListenArgs {
    #[command(flatten)]
    secret: SecretArgs,

    /// Where to listen; port 0 chooses one, which is printed on standard error
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000", value_parser = resolve)]
    addr: SocketAddr,

    /// How the handler fails
    #[arg(long, value_enum, value_name = "HOW")]
    fail: Option<Failure>,

    /// How many runs of the handler fail
    #[arg(long, value_name = "N", default_value_t = 1, requires = "fail")]
    times: u64,

    /// Print one JSON document a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ListenArgs, io: &mut Io<'_>) -> Result<Status, Error> {
    let secrets = args.secret.given(io)?;
    let (events, mut received) = Events::channel();
    let receiver = receiver(&secrets, &events)?;
    let failing = Arc::new(Failing::new(args.fail, args.times));
    let handler = {
        let events = events.clone();
        move |delivery| handle(delivery, events.clone(), Arc::clone(&failing))
    };
    let on_answer = move |verdict| events.answered(verdict);

    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::with_source("cannot start the runtime", error))?;
    runtime.block_on(async {
        let (listener, address) = server::bind(args.addr).await?;
        writeln!(io.err, "listening on http://{address}")?;
        let app = server::app(receiver.clone(), handler, on_answer);
        let stop = {
            let receiver = receiver.clone();
            async move {
                // Without a handler for signals, the default one ends the process.
                if interrupted().await.is_err() {
                    std::future::pending::<()>().await;
                }
                receiver.shutdown().await;
            }
        };
        let mut serving = std::pin::pin!(server::serve(listener, app, stop));
        loop {
            tokio::select! {
                biased;
                Some(event) = received.recv() => show::event(&event, args.json, io)?,
                served = &mut serving => {
                    served?;
                    break;
                }
            }
        }
        Ok::<_, Error>(())
    })?;
    show::totals(&receiver.counters(), args.json, io)?;
    Ok(Status::Fine)
}

/// The first address of a host, `localhost` for example.
fn resolve(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    addresses
        .next()
        .ok_or_else(|| "the host has no address".to_owned())
}

fn receiver(secrets: &[Secret], events: &Events) -> Result<Receiver, Error> {
    let unusable = |error| Error::with_source("cannot set up the receiver", error);
    let mut verifier = Verifier::builder();
    for secret in secrets {
        verifier = verifier.secret(secret.to_callback_secret()?);
    }
    let (rejections, ignored) = (events.clone(), events.clone());
    Receiver::builder(verifier.build().map_err(unusable)?)
        .on_rejected(move |rejected| rejections.send(Event::rejected(rejected.rejection())))
        .on_ignored(move |event| ignored.send(Event::ignored(event)))
        .build()
        .map_err(unusable)
}

async fn handle(
    delivery: Delivery,
    events: Events,
    failing: Arc<Failing>,
) -> Result<(), HandlerError> {
    let failure = failing.next();
    events.send(Event::delivery(&delivery, failure));
    match failure {
        None => Ok(()),
        Some(Failure::Error) => Err(HandlerError::retry("as --fail asks for")),
        Some(Failure::Timeout) => std::future::pending().await,
        Some(Failure::Panic) => panic!("as --fail asks for"),
    }
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
