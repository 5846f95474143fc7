//! What SQLite reports, as one of the four kinds of a store error, with what to do about it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rusqlite::ErrorCode;
use zego_record_receiver::{StoreError, StoreErrorKind};

/// What has gone wrong and what to do, with its cause. All members of a batch get a copy.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: StoreErrorKind,
    text: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    pub(crate) fn new(kind: StoreErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            text: text.into(),
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<Problem> for StoreError {
    fn from(problem: Problem) -> Self {
        Self::new(problem.kind, problem)
    }
}

/// What an error of SQLite means.
pub(crate) fn explain(source: rusqlite::Error) -> Problem {
    use StoreErrorKind::{Config, Corrupt, Unavailable};
    let (kind, text) = match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Unavailable,
            "another connection has locked the database for longer than the timeout: look for a long transaction",
        ),
        Some(ErrorCode::DiskFull) => (Unavailable, "the disk or the database is full: make room"),
        Some(ErrorCode::SystemIoFailure) => (
            Unavailable,
            "reading or writing the database failed: look at the disk and the system's log",
        ),
        Some(ErrorCode::CannotOpen) => (
            Unavailable,
            "the database cannot be opened: its directory must exist and this process may write to it",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            Corrupt,
            "the file is damaged or no database: run `PRAGMA integrity_check`, then restore it from a copy",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            Config,
            "this process may not write to the database: look at the owner and mode of the file and its directory",
        ),
        Some(ErrorCode::Unknown | ErrorCode::SchemaChanged) => (
            Config,
            "the tables do not fit this version of the program: let the store create them, or run its schema",
        ),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => (
            Corrupt,
            "the database rejects what the store writes: look for constraints and triggers that are not its own",
        ),
        Some(_) => (Unavailable, "SQLite has rejected the request"),
        None => (
            Corrupt,
            "a row has a type or size that the store does not write: look at the row and remove it",
        ),
    };
    Problem::new(kind, text).with_source(source)
}

pub(crate) fn config(text: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(StoreErrorKind::Config, text)
}

/// Nobody answers reads any more.
pub(crate) fn reader_ended() -> StoreError {
    Problem::new(
        StoreErrorKind::Unavailable,
        "the reading thread of the store has ended after a panic: restart the process",
    )
    .into()
}

/// Nobody answers any more.
pub(crate) fn writer_ended() -> StoreError {
    Problem::new(
        StoreErrorKind::Unavailable,
        "the writer thread of the store has ended after a panic: restart the process",
    )
    .into()
}

/// An error of SQLite that belongs to the disk or the file as a whole, so that nothing else would fare
/// better on the same connection.
pub(crate) fn is_of_the_file(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory
        )
    )
}

/// What a panic of user code means.
pub(crate) fn closure_panicked() -> Problem {
    Problem::new(
        StoreErrorKind::Unavailable,
        "the closure of a transaction has panicked; the transaction was rolled back",
    )
}
