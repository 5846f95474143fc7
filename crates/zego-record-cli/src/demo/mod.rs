//! `demo`: a receiver and a fake ZEGOCLOUD that talk to each other on loopback, and what each promise looks
//! like.
//!
//! With `--json` it prints `{"fine": bool, "speed": number, "scenes": [{"name", "sender", "answers": [{"status",
//! "body"}], "runs", "promise", "fine"}]}`; `runs` is how often the handler was run.

mod scenario;
mod stage;
mod table;

use clap::Args;
use tokio::runtime::Builder;

use crate::cli::Status;
use crate::error::Error;
use crate::io::Io;
use crate::send::Schedule;

pub use scenario::{Scene, Sender, scenario};
pub use stage::{Outcome, perform};

/// See it work: a receiver and a fake ZEGOCLOUD on loopback, and every promise in a table
///
/// Sends every vendor in every wire form, retries, duplicates and what a stranger may try, and shows what was
/// sent, answered and handled. Needs no secret, no account and no network, and ends by itself. Exit status 1
/// if anything is not as documented.
#[derive(Args, Debug)]
#[command(after_help = "\
Example
  zego-record demo

Example: the retries as slow as ZEGOCLOUD's
  zego-record demo --speed 1

With --json: {\"fine\": bool, \"speed\": number, \"scenes\": [{\"name\", \"sender\", \"answers\": [{\"status\", \"body\"}],
\"runs\", \"promise\", \"fine\"}]}")]
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
    let outcomes = runtime.block_on(perform(schedule))?;
    table::print(&outcomes, args.speed, args.json, io)?;
    Ok(Status::of_check(outcomes.iter().all(Outcome::is_fine)))
}
