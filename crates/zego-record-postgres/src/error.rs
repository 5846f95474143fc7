//! What went wrong, and what to do about it.

use std::error::Error;
use std::fmt;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;
use zego_record_receiver::{StoreError, StoreErrorKind};

/// What to do about an error of the driver, which is its source.
#[derive(Debug)]
struct Advice {
    advice: &'static str,
    source: tokio_postgres::Error,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice)
    }
}

impl Error for Advice {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

pub(crate) fn config(advice: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Config, advice.into())
}

pub(crate) fn corrupt(what: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, what)
}

pub(crate) fn timeout() -> StoreError {
    StoreError::new(
        StoreErrorKind::Timeout,
        "PostgreSQL did not answer in time; look at its load, at locks and at the network",
    )
}

/// Whether a lock was not granted in time, as when somebody else's transaction marks the delivery.
pub(crate) fn is_locked(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
}

pub(crate) fn of_pool(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => of_driver(error),
        PoolError::Timeout(_) => StoreError::new(
            StoreErrorKind::Timeout,
            "no connection became free in time; make the pool larger or look for slow statements",
        ),
        other => StoreError::new(StoreErrorKind::Unavailable, other),
    }
}

pub(crate) fn of_driver(source: tokio_postgres::Error) -> StoreError {
    let (kind, advice) = if source.to_string() == "error performing TLS handshake" {
        (
            StoreErrorKind::Config,
            "no TLS connection came about; check ssl in postgresql.conf, the name that the certificate bears, \
             and sslrootcert",
        )
    } else {
        classify(source.code())
    };
    StoreError::new(kind, Advice { advice, source })
}

fn classify(code: Option<&SqlState>) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Config, Corrupt, Timeout, Unavailable};
    let Some(code) = code else {
        return (
            Unavailable,
            "there is no connection to PostgreSQL; check that it runs, its address and the network",
        );
    };
    match code.code() {
        "42P01" | "3F000" | "42703" | "42P10" => (
            Config,
            "a table is missing or differs; connect with migration on, or run the SQL of `sql::SCHEMA`",
        ),
        "42501" => (
            Config,
            "the role lacks a permission; grant it usage of the schema, and select, insert, update and \
             delete on its tables",
        ),
        "25006" => (
            Config,
            "the server is read-only; connect to the primary, not to a replica",
        ),
        "28P01" | "28000" => (
            Config,
            "the login was rejected; check user, password and pg_hba.conf",
        ),
        "3D000" => (
            Config,
            "the database does not exist; create it or correct the URL",
        ),
        "53300" => (
            Unavailable,
            "the server has no connection left; make the pools smaller or raise max_connections",
        ),
        "53100" => (Unavailable, "the server's disk is full; make room on it"),
        "57014" | "55P03" => (
            Timeout,
            "the statement was given up; look for transactions that hold their locks for long",
        ),
        "XX001" | "XX002" => (
            Corrupt,
            "the server reports damaged data; stop writing and restore from a backup",
        ),
        _ => (
            Unavailable,
            "PostgreSQL has rejected the statement; its log has the reason",
        ),
    }
}
