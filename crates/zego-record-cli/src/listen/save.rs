//! Requests kept in a directory, each as two files that only their owner can read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use http::request::Parts;

use crate::error::Error;

/// As much as a session may save in all.
const MOST_BYTES: u64 = 64 << 20;

/// Saves requests by their number, as `N.body` and `N.headers`.
#[derive(Debug)]
pub(super) struct Saver {
    dir: PathBuf,
    last: u64,
    left: Mutex<Left>,
}

#[derive(Debug)]
struct Left {
    requests: u64,
    bytes: u64,
}

impl Saver {
    /// Saves at most `requests` in `dir`, which is made if it is not there.
    pub(super) fn new(dir: &Path, requests: u64) -> Result<Self, Error> {
        let cannot =
            |error| Error::with_source(format!("cannot save requests in {}", dir.display()), error);
        make_private_dir(dir).map_err(cannot)?;
        let mut last = 0;
        for entry in fs::read_dir(dir).map_err(cannot)? {
            let number = number_of(&entry.map_err(cannot)?.path());
            last = last.max(number.unwrap_or_default());
        }
        Ok(Self {
            dir: dir.to_owned(),
            last,
            left: Mutex::new(Left {
                requests,
                bytes: MOST_BYTES,
            }),
        })
    }

    /// The highest number that an earlier session has used.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Saves a request and returns its path without the extension, or why it was not saved.
    pub(super) fn save(&self, number: u64, parts: &Parts, body: &[u8]) -> Result<PathBuf, String> {
        let headers = head(parts);
        let bytes = (headers.len() + body.len()) as u64;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.requests == 0 || left.bytes < bytes {
            return Err("the limit of --save is reached".to_owned());
        }
        let stem = self.dir.join(number.to_string());
        write_private(&stem.with_extension("headers"), &headers)
            .and_then(|()| write_private(&stem.with_extension("body"), body))
            .map_err(|error| error.to_string())?;
        left.requests -= 1;
        left.bytes -= bytes;
        Ok(stem)
    }
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// The request line and the headers, a line each.
fn head(parts: &Parts) -> Vec<u8> {
    let mut head = format!("{} {} {:?}\n", parts.method, parts.uri, parts.version).into_bytes();
    for (name, value) in &parts.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.push(b'\n');
    }
    head
}

fn make_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(dir)
}

/// Never writes over a file that is there.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file: File = options.open(path)?;
    file.write_all(bytes)
}
