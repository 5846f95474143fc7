//! A copy of the database while it is in use.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;
use zego_record_receiver::{StoreError, StoreErrorKind};

use crate::SqliteStore;
use crate::builder::spawn;
use crate::error::{Problem, config, explain};
use crate::open::{Opener, create_private};

impl SqliteStore {
    /// Writes a copy of the database, as it is when the copy begins, to a new file of mode 0600. The store
    /// goes on meanwhile; its log (`-wal`) grows until the copy is done. The copy is on disk when this
    /// returns, and bears its name only then.
    ///
    /// To restore it, stop all programs, move the database and its `-wal` and `-shm` away and put the copy
    /// in its place. Callbacks that were accepted afterwards are missing, and callbacks that were done
    /// afterwards are done again.
    ///
    /// # Errors
    ///
    /// * [`Config`](StoreErrorKind::Config): the file exists already, or its name is not UTF-8.
    /// * [`Unavailable`](StoreErrorKind::Unavailable): it cannot be written, or the disk is full. What was
    ///   written of it is removed.
    pub async fn backup(&self, path: impl Into<PathBuf>) -> Result<(), StoreError> {
        let (path, opener) = (path.into(), self.opener.clone());
        let (reply, answer) = oneshot::channel();
        spawn("zego-record-backup", move || {
            let _ = reply.send(copy(&opener, &path));
        })?;
        match answer.await {
            Ok(result) => Ok(result?),
            Err(_) => Err(unavailable("the backup has ended after a panic").into()),
        }
    }
}

fn copy(opener: &Opener, path: &Path) -> Result<(), Problem> {
    if path.symlink_metadata().is_ok() {
        return Err(config(format!(
            "{} exists already: choose another name",
            path.display()
        )));
    }
    // Absolute, since SQLite takes what begins with `file:` for a URI.
    let path = std::path::absolute(path).map_err(|error| cannot_write(path, error))?;
    let mut partial = path.clone().into_os_string();
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = PathBuf::from(partial);
    create_private(&partial).map_err(|error| cannot_write(&partial, error))?;
    let copied = write(opener, &partial)
        .and_then(|()| fs::rename(&partial, &path).map_err(|error| cannot_write(&path, error)))
        .and_then(|()| sync_directory(&path).map_err(|error| cannot_write(&path, error)));
    if copied.is_err() {
        let _ = fs::remove_file(&partial);
    }
    copied
}

fn write(opener: &Opener, path: &Path) -> Result<(), Problem> {
    let name = path
        .to_str()
        .ok_or_else(|| config("the name of the backup must be UTF-8"))?;
    let connection = opener.connection()?;
    connection
        .execute("VACUUM INTO ?1", [name])
        .map_err(explain)?;
    // SQLite does not do this for a copy.
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| cannot_write(path, error))
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

fn cannot_write(path: &Path, error: io::Error) -> Problem {
    unavailable(format!("{} cannot be written", path.display())).with_source(error)
}

fn unavailable(text: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(StoreErrorKind::Unavailable, text)
}
