//! The database of `serve` and `inbox`: a file, or a PostgreSQL server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zego_record_inbox::InboxStore;
use zego_record_postgres::PostgresStore;
use zego_record_receiver::{Accept, StoreError};
use zego_record_sqlite::SqliteStore;

use crate::error::Error;

pub(crate) const VARIABLE: &str = "ZEGO_RECORD_DATABASE";
pub(crate) const DEFAULT: &str = "zego-record.db";

/// Where callbacks are kept, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    /// A URL, which may hold a password and is never shown.
    Postgres(String),
}

/// An open database.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    Sqlite(SqliteStore, PathBuf),
    Postgres(PostgresStore),
}

impl Place {
    /// A path, `sqlite:PATH`, or a `postgres://` URL.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        if path.is_empty() || path.contains("://") {
            return Err(Error::new(
                "--database is a path, sqlite:PATH or a postgres:// URL",
            ));
        }
        Ok(Self::Sqlite(path.into()))
    }

    /// What may be shown of it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("SQLite, {}", path.display()),
            Self::Postgres(url) => {
                format!("PostgreSQL, {}", host_of(url).unwrap_or("a server"))
            }
        }
    }

    /// Opens it; tables, and a file, are created if they are missing.
    pub(crate) async fn open(&self) -> Result<Database, Error> {
        let cannot = |error: StoreError| {
            Error::with_source(
                format!("cannot open the database ({})", self.describe()),
                error,
            )
        };
        match self {
            Self::Sqlite(path) => {
                let store = SqliteStore::open(path).map_err(cannot)?;
                Ok(Database::Sqlite(store, path.clone()))
            }
            Self::Postgres(url) => {
                let store = PostgresStore::connect(url).await.map_err(cannot)?;
                Ok(Database::Postgres(store))
            }
        }
    }

    /// As [`open`](Self::open), for a command that looks at what is there: a missing file is an error.
    pub(crate) async fn open_existing(&self) -> Result<Database, Error> {
        if let Self::Sqlite(path) = self
            && !path.exists()
        {
            return Err(Error::new(format!(
                "there is no database {}: name it with --database, as serve was started with",
                path.display()
            )));
        }
        self.open().await
    }
}

/// Host, port and database of a URL, if it is certain that nothing else is in it: an `@` may be part of a
/// user's name or a password, before or after a `?`.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let rest = match rest.rsplit_once('@') {
        Some((before, _)) if before.contains(['?', '#']) => return None,
        Some((_, after)) => after,
        None => rest,
    };
    let shown = rest.split(['?', '#']).next()?;
    let host = shown.split('/').next()?;
    let port = host.rsplit_once(':').map(|(_, port)| port);
    let is_port = port
        .is_none_or(|port| port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_name = shown
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-_,:%/[]".contains(&byte));
    (is_port && is_name && !shown.is_empty()).then_some(shown)
}

impl Database {
    pub(crate) fn inbox(&self) -> Arc<dyn InboxStore> {
        match self {
            Self::Sqlite(store, _) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    pub(crate) fn accept(&self) -> Arc<dyn Accept> {
        self.inbox()
    }

    /// What the server's settings may cost, said at the start.
    pub(crate) fn warnings(&self) -> &[String] {
        match self {
            Self::Sqlite(..) => &[],
            Self::Postgres(store) => store.warnings(),
        }
    }

    /// The directory that must not run full, if it is on this machine.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(_, path) => {
                let parent = path
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty());
                Some(parent.unwrap_or(Path::new(".")))
            }
            Self::Postgres(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_path_or_a_url_and_its_password_is_never_shown() {
        for (text, shown) in [
            ("zego-record.db", "SQLite, zego-record.db"),
            ("sqlite:/var/lib/z.db", "SQLite, /var/lib/z.db"),
            (
                "postgres://app:hunter2@db:5432/z?sslmode=require",
                "PostgreSQL, db:5432/z",
            ),
            ("postgresql://app:p@ss@db/z", "PostgreSQL, db/z"),
            ("postgres:///z", "PostgreSQL, /z"),
            (
                "postgres://db/z?user=app&password=hunter2",
                "PostgreSQL, db/z",
            ),
            (
                "postgres://db/z?user=app@host&password=hunter2",
                "PostgreSQL, a server",
            ),
            ("postgres://db/z?password=p@hunter2", "PostgreSQL, a server"),
            ("postgres://app:hunter?2@db/z", "PostgreSQL, a server"),
            ("postgres://app:hunter2", "PostgreSQL, a server"),
            ("postgres://app:1234@", "PostgreSQL, a server"),
            ("postgres://[::1]:5432/z", "PostgreSQL, [::1]:5432/z"),
        ] {
            assert_eq!(Place::parse(text).unwrap().describe(), shown);
        }
        for text in ["", "sqlite:", "mysql://db/z"] {
            let error = Place::parse(text).unwrap_err().to_string();
            assert!(error.contains("postgres://"), "{error}");
        }
    }
}
