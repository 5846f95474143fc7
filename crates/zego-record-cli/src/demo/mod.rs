//! `demo`: a receiver and a fake ZEGOCLOUD that talk to each other on loopback, and what each promise looks
//! like. Then the same with an inbox, whose app is down.
//!
//! With `--json` it prints `{"fine": bool, "speed": number, "scenes": [{"name", "sender", "answers": [{"status",
//! "body"}], "runs", "promise", "fine"}], "inbox": {"scenes": [{"name", "answer": {"status", "body"} or null,
//! "runs", "state", "seconds", "promise", "fine"}], "accepted", "arrived"}}`; `runs` is how often the handler
//! was run, `state` is null for what the inbox had already, and `seconds` are those of the inbox's clock.

mod outage;
mod scenario;
mod stage;
mod table;

use clap::Args;
use tokio::runtime::Builder;

use crate::cli::Status;
use crate::error::Error;
use crate::io::Io;
use crate::send::Schedule;

pub use outage::{Fate, InboxScene, Outage, perform_outage};
pub use scenario::{Scene, Sender, scenario};
pub use stage::{Outcome, perform};

/// See it work: a receiver and a fake ZEGOCLOUD on loopback, and every promise in a table
///
/// Sends every vendor in every wire form, retries, duplicates and what a stranger may try, and shows what was
/// sent, answered and handled. Then the app behind an inbox is down, is killed and has a bug for days, on a
/// clock that is moved on, and still gets everything. Needs no secret, no account and no network, and ends by
/// itself. Exit status 1 if anything is not as documented.
#[derive(Args, Debug)]
#[command(after_help = "\
Example
  zego-record demo

Example: the retries as slow as ZEGOCLOUD's
  zego-record demo --speed 1

With --json: {\"fine\": bool, \"speed\": number, \"scenes\": [{\"name\", \"sender\", \"answers\": [{\"status\", \"body\"}],
\"runs\", \"promise\", \"fine\"}], \"inbox\": {\"scenes\": [{\"name\", \"answer\", \"runs\", \"state\", \"seconds\", \"promise\",
\"fine\"}], \"accepted\", \"arrived\"}}")]
pub struct DemoArgs {
    /// How much faster than ZEGOCLOUD to retry; 1 is the real schedule of 2, 4, 8, 16 and 32 seconds
    #[arg(long, default_value_t = 20.0)]
    speed: f64,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &DemoArgs, io: &mut Io<'_>) -> Result<Status, Error> {
    let schedule = Schedule::new(args.speed)
        .ok_or_else(|| Error::new("--speed must be positive: 1 is the real schedule"))?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::with_source("cannot start the runtime", error))?;
    let secret: String = std::iter::repeat_with(|| fastrand::digit(16))
        .take(32)
        .collect();
    let outcomes = runtime.block_on(perform(&secret, schedule))?;
    let outage = runtime.block_on(perform_outage(&secret))?;
    table::print(&outcomes, &outage, args.speed, args.json, io)?;
    let is_fine = outcomes.iter().all(Outcome::is_fine) && outage.is_fine();
    Ok(Status::of_check(is_fine))
}
