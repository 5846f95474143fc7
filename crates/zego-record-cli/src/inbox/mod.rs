//! `inbox`: what `serve` has received, from the shell.
//!
//! With `--json`, `list` and `export` print one line for each callback, and everything else one document.

mod args;
mod change;
mod show;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use zego_record_core::DeliveryKey;
use zego_record_inbox::{Entry, Filter, InboxStore};
use zego_record_receiver::support::call;
use zego_record_receiver::{BoxFuture, StoreError};

use crate::cli::Status;
use crate::error::Error;
use crate::io::{Io, printable};
use crate::serve::database::{Database, Place};
use args::Command;
pub use args::InboxArgs;

/// An operator waits longer than a callback.
const WITHIN: Duration = Duration::from_secs(60);
/// As many hexadecimal digits of a key are enough where people type.
const LEAST_DIGITS: usize = 8;

pub(crate) fn run(args: &InboxArgs, io: &mut Io<'_>) -> Result<Status, Error> {
    let place = Place::parse(&args.database)?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::with_source("cannot start the runtime", error))?;
    runtime.block_on(async {
        let database = place.open_existing().await?;
        let desk = Desk {
            inbox: database.inbox(),
            json: args.json,
        };
        match &args.command {
            Command::List(list) => desk.list(list, io).await,
            Command::Show(show) => desk.show(&show.key, io).await,
            Command::Export(export) => desk.export(export, io).await,
            Command::Stats => desk.stats(io).await,
            Command::Redeliver(redeliver) => desk.redeliver(redeliver, io).await,
            Command::Discard(discard) => desk.discard(discard, io).await,
            Command::Pause => desk.pause(true, io).await,
            Command::Resume => desk.pause(false, io).await,
            Command::Erase(erase) => desk.erase(erase, io).await,
            Command::Backup(backup) => back_up(&database, &backup.file, io).await,
        }
    })
}

/// What the commands share.
struct Desk {
    inbox: Arc<dyn InboxStore>,
    json: bool,
}

impl Desk {
    /// The one callback whose key begins with these digits.
    async fn find(&self, digits: &str) -> Result<Entry, Error> {
        let digits = digits.to_ascii_lowercase();
        let shown = printable(&digits);
        let is_key = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_key || digits.len() < LEAST_DIGITS || digits.len() > 64 {
            return Err(Error::new(format!(
                "{shown:?} is no key: it has {LEAST_DIGITS} to 64 hexadecimal digits, see `inbox list`"
            )));
        }
        let mut filter = Filter::all();
        filter.key_prefix = hex::decode(&digits[..digits.len() / 2 * 2]).ok();
        let found = self.ask(|| self.inbox.list(&filter, None, 32)).await?;
        let mut found = found
            .into_iter()
            .filter(|entry| hex_of(&entry.key).starts_with(&digits));
        match (found.next(), found.next()) {
            (Some(entry), None) => Ok(entry),
            (None, _) => Err(Error::new(format!("no callback has the key {shown}"))),
            (Some(_), Some(_)) => Err(Error::new(format!(
                "several callbacks have keys that begin with {shown}: give more digits"
            ))),
        }
    }

    /// A change of many, which may take as long as it likes.
    async fn reach<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Error> {
        work.await
            .map_err(|error| Error::with_source("the database cannot answer", error))
    }

    async fn ask<'a, T>(
        &self,
        request: impl FnOnce() -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<T, Error> {
        call(WITHIN, request)
            .await
            .map_err(|error| Error::with_source("the database cannot answer", error))
    }
}

async fn back_up(
    database: &Database,
    file: &std::path::Path,
    io: &mut Io<'_>,
) -> Result<Status, Error> {
    let Database::Sqlite(store, _) = database else {
        return Err(Error::new(
            "backup copies an SQLite database; a PostgreSQL server has pg_dump",
        ));
    };
    if file.exists() {
        return Err(Error::new(format!(
            "{} exists: name a file that does not",
            file.display()
        )));
    }
    store.backup(file).await.map_err(|error| {
        Error::with_source(format!("cannot write the backup {}", file.display()), error)
    })?;
    writeln!(io.out, "{} holds everything up to now", file.display())?;
    Ok(Status::Fine)
}

fn hex_of(key: &DeliveryKey) -> String {
    hex::encode(key.as_bytes())
}
