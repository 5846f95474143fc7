//! The durable stores, each on a real server or file of its own.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use zego_record_postgres::PostgresStore;
use zego_record_receiver::ReceiverBuilder;
use zego_record_redis::RedisStore;
use zego_record_sqlite::SqliteStore;
use zego_record_test_servers::{Postgres, Redis};

/// Patient: a machine under load may be slow, and the tests of the stores are about what comes out.
const PATIENCE: Duration = Duration::from_secs(5);

/// A durable store. Exhaustive by decision: a test has an expectation for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A schema of a server.
    Postgres,
    /// A prefix on a server.
    Redis,
}

/// Where a store keeps what it remembers. A file ends with this value, a server with the process.
#[derive(Debug)]
pub struct Place {
    kind: Kind,
    url: String,
    name: String,
    directory: Option<PathBuf>,
}

/// A handle to a store.
#[derive(Clone, Debug)]
pub enum Store {
    /// A file.
    Sqlite(SqliteStore),
    /// A schema of a server.
    Postgres(PostgresStore),
    /// A prefix on a server.
    Redis(RedisStore),
}

impl Place {
    /// A place that nobody has used, or `None` if its server is skipped explicitly.
    pub fn new(kind: Kind) -> Option<Self> {
        let (url, name, directory) = match kind {
            Kind::Sqlite => {
                let number = fastrand::u64(..);
                let directory = env::temp_dir().join(format!("zego-record-{number:016x}"));
                fs::create_dir(&directory).unwrap();
                let database = directory.join("store.db");
                (
                    database.display().to_string(),
                    String::new(),
                    Some(directory),
                )
            }
            Kind::Postgres => {
                let server = Postgres::shared()?;
                (server.url(), server.new_schema(), None)
            }
            Kind::Redis => {
                let server = Redis::shared()?;
                (server.url(), server.new_prefix(), None)
            }
        };
        Some(Self {
            kind,
            url,
            name,
            directory,
        })
    }

    /// The place that another process has put into a text.
    pub fn from_text(text: &str) -> Self {
        let parts: Vec<_> = text.split(' ').collect();
        let kind = match parts[0] {
            "sqlite" => Kind::Sqlite,
            "postgres" => Kind::Postgres,
            _ => Kind::Redis,
        };
        Self {
            kind,
            url: parts[1].to_owned(),
            name: parts[2].to_owned(),
            directory: None,
        }
    }

    /// As a text, for another process.
    pub fn to_text(&self) -> String {
        let kind = match self.kind {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
            Kind::Redis => "redis",
        };
        format!("{kind} {} {}", self.url, self.name)
    }

    /// Which store it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The path or the URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The schema or the prefix.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens the store.
    pub async fn open(&self) -> Store {
        match self.kind {
            Kind::Sqlite => {
                let builder = SqliteStore::builder(&self.url).timeout(PATIENCE);
                Store::Sqlite(builder.open().unwrap())
            }
            Kind::Postgres => {
                let builder = PostgresStore::builder()
                    .schema(&self.name)
                    .timeout(PATIENCE);
                Store::Postgres(builder.connect(&self.url).await.unwrap())
            }
            Kind::Redis => {
                let builder = RedisStore::builder().prefix(&self.name).timeout(PATIENCE);
                Store::Redis(builder.connect(&self.url).await.unwrap())
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

impl Store {
    /// Lets a receiver remember deliveries and signatures here.
    pub fn remember(&self, receiver: ReceiverBuilder) -> ReceiverBuilder {
        let receiver = receiver.store_timeout(PATIENCE);
        match self.clone() {
            Self::Sqlite(store) => receiver.store(store.clone()).guard(store),
            Self::Postgres(store) => receiver.store(store.clone()).guard(store),
            Self::Redis(store) => receiver.store(store.clone()).guard(store),
        }
    }
}
