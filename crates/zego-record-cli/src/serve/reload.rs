//! What is read again while it is in use: secrets and certificates.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Calls `reload` when one of the files has changed, or somebody asks for it. Never ends.
pub(super) async fn follow(mut watch: Watch, mut again: Again, mut reload: impl FnMut()) {
    loop {
        let asked = again.or_in(LOOK_EVERY).await;
        if watch.has_changed() || asked {
            reload();
        }
    }
}

/// Whether files have changed since the last look.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    files: Vec<(PathBuf, Option<(SystemTime, u64)>)>,
}

impl Watch {
    pub(super) fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let files = files.into_iter().map(|file| {
            let seen = stamp(&file);
            (file, seen)
        });
        Self {
            files: files.collect(),
        }
    }

    pub(super) fn has_changed(&mut self) -> bool {
        let mut changed = false;
        for (file, seen) in &mut self.files {
            let now = stamp(file);
            changed |= now != *seen;
            *seen = now;
        }
        changed
    }
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// SIGHUP, where there is one.
#[derive(Debug)]
pub(super) struct Again {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl Again {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(unix)]
            signals: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    /// Waits for this time; `true` if the signal came before.
    pub(super) async fn or_in(&mut self, time: Duration) -> bool {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals {
            return tokio::select! {
                Some(()) = signals.recv() => true,
                () = sleep(time) => false,
            };
        }
        sleep(time).await;
        false
    }
}
