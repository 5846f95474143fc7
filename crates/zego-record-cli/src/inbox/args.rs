//! The options of `inbox`.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use zego_record_inbox::{EntryState, Filter};

use crate::error::Error;
use crate::serve::database;

/// Look at what `serve` has received, and decide what happens to it
///
/// It may be used while `serve` runs.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: what is dead, why, and once more
  zego-record inbox list --state dead
  zego-record inbox show 5f2b8c01
  zego-record inbox redeliver 5f2b8c01

Example: everything that became a dead letter while the app was broken
  zego-record inbox redeliver --state dead --from 2026-11-24T08:00:00Z --yes

A KEY is the delivery key in hexadecimal digits, the webhook-id that the app has seen; 8 digits are enough.")]
pub struct InboxArgs {
    #[command(subcommand)]
    pub(super) command: Command,

    /// The database of `serve`: a file, sqlite:FILE or a postgres:// URL
    #[arg(long, global = true, env = database::VARIABLE, hide_env_values = true, value_name = "DATABASE", default_value = database::DEFAULT)]
    pub(super) database: String,

    /// Print JSON: one document, or one line for each callback
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List callbacks, the newest first
    List(ListArgs),
    /// Show a callback with all its attempts
    Show(KeyArgs),
    /// Print callbacks as lines of JSON, the newest first, all that match
    Export(SelectArgs),
    /// Count callbacks by state
    Stats,
    /// Forward callbacks again, with all attempts before them
    Redeliver(RedeliverArgs),
    /// Give callbacks up, with a reason
    Discard(DiscardArgs),
    /// Stop forwarding; callbacks are received all the same
    Pause,
    /// Forward again
    Resume,
    /// Remove a callback and all that is known of it, as somebody may have a right to
    ///
    /// A run of it may still be under way. If ZEGOCLOUD sends it again, it is new.
    Erase(EraseArgs),
    /// Copy an SQLite database to FILE while it is in use
    Backup(BackupArgs),
}

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) select: SelectArgs,

    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) limit: u32,
}

#[derive(Args, Debug)]
pub(super) struct KeyArgs {
    /// The callback
    pub(super) key: String,
}

#[derive(Args, Debug)]
pub(super) struct EraseArgs {
    /// The callback
    pub(super) key: String,

    /// Don't ask
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Args, Debug)]
pub(super) struct ChangeArgs {
    /// One callback; without it, all that match the options
    #[arg(conflicts_with = "Select")]
    pub(super) key: Option<String>,

    #[command(flatten)]
    pub(super) select: SelectArgs,

    /// Don't ask; without it, it says how many there are and changes nothing unless somebody agrees
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Args, Debug)]
pub(super) struct RedeliverArgs {
    #[command(flatten)]
    pub(super) change: ChangeArgs,

    /// Under another webhook-id, for an app that ignores one that it has seen
    #[arg(long)]
    pub(super) new_id: bool,
}

#[derive(Args, Debug)]
pub(super) struct DiscardArgs {
    #[command(flatten)]
    pub(super) change: ChangeArgs,

    /// Why, for those who look later
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
}

#[derive(Args, Debug)]
pub(super) struct BackupArgs {
    /// A file that does not exist
    pub(super) file: PathBuf,
}

/// Which callbacks are meant: those that match everything.
#[derive(Args, Clone, Debug)]
#[group(id = "Select", multiple = true)]
pub(super) struct SelectArgs {
    /// waiting, running, done, dead or discarded
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<EntryState>,

    /// Exactly this AppID
    #[arg(long, value_name = "APPID")]
    appid: Option<String>,

    /// Exactly this stream
    #[arg(long, value_name = "STREAM")]
    stream: Option<String>,

    /// A part of the file's id, the stream or the last error
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,

    /// Received at TIME or later, such as 2026-11-24T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<SystemTime>,

    /// Received before TIME
    #[arg(long, value_name = "TIME", value_parser = time)]
    before: Option<SystemTime>,
}

impl SelectArgs {
    pub(super) fn filter(&self) -> Filter {
        let mut filter = Filter::all();
        filter.state = self.state;
        filter.appid.clone_from(&self.appid);
        filter.stream_alias.clone_from(&self.stream);
        filter.text.clone_from(&self.text);
        filter.received_from = self.from;
        filter.received_before = self.before;
        filter
    }

    /// For a change, which must not mean everything by mistake.
    pub(super) fn deliberate_filter(&self) -> Result<Filter, Error> {
        let filter = self.filter();
        if filter == Filter::all() {
            return Err(Error::new(
                "name a callback by its key, or say which are meant: --state dead, for example",
            ));
        }
        Ok(filter)
    }
}

fn state(text: &str) -> Result<EntryState, String> {
    EntryState::from_name(text)
        .ok_or_else(|| "a state is waiting, running, done, dead or discarded".to_owned())
}

fn time(text: &str) -> Result<SystemTime, String> {
    humantime::parse_rfc3339_weak(text)
        .map_err(|error| format!("{error}: write a time as 2026-11-24T08:00:00Z"))
}
