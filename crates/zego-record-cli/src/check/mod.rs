//! `check`: one receiver against every promise that a good receiver keeps.
//!
//! It sends genuine callbacks in every form that ZEGOCLOUD may send, and every forgery that was seen to
//! work somewhere, and has one line for each promise: *passed*, *failed* or *not visible* from outside.
//!
//! # How often the handler has run
//!
//! An answer does not show whether the handler ran. With `--runs-url` the receiver shows it: a `GET` of
//! that URL is answered with a 2xx whose body is the number of runs since any fixed moment, either as
//! digits alone or as a JSON object with a member `runs`, for example `{"runs": 12}`. Runs that happen
//! within 400 ms of each other, and within three seconds of the answer, are waited for.
//!
//! # Patience
//!
//! A genuine callback is repeated by ZEGOCLOUD's schedule, `--speed` times as fast. A receiver that asks
//! for time (409, 425, 429, 503, or no answer) is given the 62 seconds that ZEGOCLOUD gives it, whatever
//! the speed.
//!
//! # JSON
//!
//! With `--json` it prints one document: `url`, `fine`, `passed`, `failed`, `not_visible` and `promises`, a
//! list of `{"name", "promise", "outcome", "reason", "by_hand"}` with the outcome `passed`, `failed` or
//! `not_visible`.

mod accepts;
mod client;
mod extension;
mod rejects;
mod report;
mod runs;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Builder;

use crate::cli::Status;
use crate::error::Error;
use crate::io::Io;
use crate::secrets::SecretArgs;
use crate::send::{Header, header_map};
use crate::send::{HttpTransport, RejectedStatuses, Schedule};
use crate::tls::TlsArgs;
use client::Client;
use report::Report;

/// Check a receiver, in any language, against every promise that a good receiver keeps
///
/// Sends genuine callbacks in each wire form, of each vendor, with each kind of nonce and Content-Type,
/// duplicates, also at the same time, retries, dropped answers, slow and chunked bodies; other events, a GET;
/// and every forgery: unsigned, wrongly signed, stale, tampered with, extended. Prints a line for each promise: passed, failed, or not visible from
/// outside. The receiver's handler runs for some thirty recordings that never were, so don't point it at
/// one in production.
///
/// Exit status 1 if a promise is broken.
///
/// With --runs-url the receiver reports how often its handler has run, so that deduplication becomes
/// visible: GET it, and the body is that number, alone or as {"runs": N}.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: a receiver on this machine
  zego-record check http://127.0.0.1:3000/zego/record

Example: in CI, with the number of runs
  zego-record check http://127.0.0.1:3000/zego/record \\
      --runs-url http://127.0.0.1:3000/runs --junit check.xml

With --json: {\"url\", \"fine\", \"passed\", \"failed\", \"not_visible\",
\"promises\": [{\"name\", \"promise\", \"outcome\", \"reason\", \"by_hand\"}]}")]
pub struct CheckArgs {
    /// The receiver, http or https
    url: String,

    #[command(flatten)]
    secret: SecretArgs,

    /// Where the receiver reports how often its handler has run
    #[arg(long, value_name = "URL")]
    runs_url: Option<String>,

    /// How much faster than ZEGOCLOUD to retry; 1 is the real schedule
    #[arg(long, default_value_t = 20.0)]
    speed: f64,

    /// How many seconds to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    timeout: f64,

    /// How many seconds a receiver may ask for time, with 409 or 503 for example
    #[arg(long, value_name = "SECONDS", default_value_t = 62.0)]
    patience: f64,

    /// Another status that proves a rejection, besides 400, 401, 403 and 422. Repeatable
    #[arg(long, value_name = "STATUS")]
    rejected_status: Vec<u16>,

    /// A header to send along, as in 'Authorization: Bearer x'. Repeatable
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<Header>,

    #[command(flatten)]
    tls: TlsArgs,

    /// Write the result as `JUnit` XML as well
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &CheckArgs, io: &mut Io<'_>) -> Result<Status, Error> {
    let client = args.client(io)?;
    args.tls.warn(Some(&args.url), io)?;
    writeln!(io.err, "checking {}", client.url())?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::with_source("cannot start the runtime", error))?;
    let report = runtime.block_on(check(client));
    if let Some(path) = &args.junit {
        std::fs::write(path, report.junit()).map_err(|error| {
            Error::with_source(format!("cannot write {}", path.display()), error)
        })?;
    }
    if args.json {
        io.print_json(&report)?;
    } else {
        report.print(io)?;
    }
    Ok(Status::of_check(report.is_fine()))
}

async fn check(mut client: Client) -> Report {
    let mut report = Report::new(client.url());
    if let Err(reason) = client.find_control().await {
        report.failed("reachable", "a plain genuine callback is delivered", reason);
        return report;
    }
    report.passed("reachable", "a plain genuine callback is delivered");
    accepts::check(&client, &mut report).await;
    let before = client.settled_runs().await;
    rejects::check(&client, &mut report).await;
    runs::forgeries_run_nothing(&client, before, &mut report).await;
    runs::no_delivery(&client, &mut report).await;
    runs::check(&client, &mut report).await;
    report.add_answer_note(&client);
    report
}

impl CheckArgs {
    fn client(&self, io: &mut Io<'_>) -> Result<Client, Error> {
        let schedule = Schedule::new(self.speed)
            .ok_or_else(|| Error::new("--speed must be positive: 1 is the real schedule"))?;
        let seconds = |option: &str, seconds: f64| {
            Duration::try_from_secs_f64(seconds).map_err(|error| {
                Error::with_source(format!("{option} must be a number of seconds"), error)
            })
        };
        let headers = header_map(&self.header);
        let transport = |url: &str| {
            let transport = HttpTransport::new(url, 2, &self.tls)?;
            Ok::<_, Error>(transport.with_headers(headers.clone()))
        };
        Ok(Client::new(
            transport(&self.url)?,
            self.runs_url.as_deref().map(transport).transpose()?,
            self.secret.for_signing(io)?,
            client::Patience {
                schedule,
                timeout: seconds("--timeout", self.timeout)?,
                patience: seconds("--patience", self.patience)?,
            },
            RejectedStatuses::with(&self.rejected_status),
        ))
    }
}
