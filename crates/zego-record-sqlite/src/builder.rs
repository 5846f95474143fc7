//! Options of a store.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use zego_record_inbox::Arrivals;
use zego_record_receiver::{StoreError, StoreErrorKind};

use crate::error::{Problem, config};
use crate::open::Opener;
use crate::reader::Reader;
use crate::sql::{DEFAULT_PREFIX, Statements};
use crate::store::{Clock, SqliteStore};
use crate::writer::Writer;

/// As good as for ever, and a time that every clock can add.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const LONGEST_PREFIX: usize = 40;

/// Builds a [`SqliteStore`].
#[must_use = "a builder does nothing before open()"]
pub struct SqliteStoreBuilder {
    opener: Opener,
    prefix: String,
    batch: usize,
    retention: Duration,
    clock: Clock,
}

impl SqliteStoreBuilder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            opener: Opener {
                // Absolute, since SQLite takes what begins with `file:` for a URI and `:memory:` for no file.
                path: std::path::absolute(&path).unwrap_or(path),
                timeout: Duration::from_millis(400),
                create_tables: true,
                keep_file_mode: false,
            },
            prefix: DEFAULT_PREFIX.to_owned(),
            batch: 256,
            retention: 30 * DAY,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// What the names of tables and indexes begin with, `zego_` unless set: ASCII letters, digits and
    /// underscores, not a digit first, 40 characters at most.
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long to wait for a lock that another connection holds, 400 milliseconds unless set. Afterwards
    /// the store is unavailable. It should be less than the store timeout of the receiver, which is 500
    /// milliseconds unless set, so that the cause is reported. SQLite does not queue writers: the store
    /// tries again every few milliseconds. Opening waits for 10 seconds at least.
    ///
    /// An hour is the most: more is cut, since no clock could add it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.opener.timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    /// How many requests may share one transaction, 256 unless set, at least 1.
    pub fn max_batch(mut self, requests: usize) -> Self {
        self.batch = requests.max(1);
        self
    }

    /// How long a finished delivery is kept, 30 days unless set. A receiver that is configured
    /// otherwise overrides it for what it claims.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Whether [`open`](Self::open) creates the tables if they are missing, which it does unless told
    /// otherwise. If not, run [`sql::SCHEMA`](crate::sql::SCHEMA) first.
    pub fn create_tables(mut self, create: bool) -> Self {
        self.opener.create_tables = create;
        self
    }

    /// Accepts a database that other users of the system may read. Without this, such a file is
    /// rejected, since it holds signatures and playback URLs; one that the store creates is private.
    pub fn insecure_keep_file_mode(mut self) -> Self {
        self.opener.keep_file_mode = true;
        self
    }

    /// Another clock than the time of day of this host, for tests. It is called on the writer thread,
    /// and must not panic.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens the database and starts the threads that write and read. It blocks until this is done, and should be
    /// called when the program starts.
    ///
    /// # Errors
    ///
    /// * [`Config`](StoreErrorKind::Config): SQLite is older than 3.51.3; the prefix is none; the file
    ///   can be read by others, or not be written; it cannot be put into WAL mode; tables are missing or
    ///   of a version that does not fit.
    /// * [`Corrupt`](StoreErrorKind::Corrupt): the file is damaged or no database.
    /// * [`Unavailable`](StoreErrorKind::Unavailable): the file cannot be opened, the disk is full, or
    ///   another process holds a lock for longer than 10 seconds.
    pub fn open(self) -> Result<SqliteStore, StoreError> {
        check_prefix(&self.prefix)?;
        let statements = Arc::new(Statements::new(&self.prefix));
        let connection = self.opener.first(&statements)?;
        let opener = Arc::new(self.opener);
        let (jobs, queue) = mpsc::channel();
        let writer = Writer {
            opener: Arc::clone(&opener),
            statements: Arc::clone(&statements),
            clock: Arc::clone(&self.clock),
            batch: self.batch,
            connection: Some(connection),
        };
        spawn("zego-record-sqlite", move || writer.run(&queue))?;
        let (reads, queue) = mpsc::channel();
        let reader = Reader {
            opener: Arc::clone(&opener),
            statements: Arc::clone(&statements),
            clock: Arc::clone(&self.clock),
            connection: None,
        };
        spawn("zego-record-read", move || reader.run(&queue))?;
        Ok(SqliteStore {
            jobs,
            reads,
            statements,
            opener,
            clock: self.clock,
            retention: self.retention,
            arrivals: Arrivals::new(),
        })
    }
}

impl std::fmt::Debug for SqliteStoreBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStoreBuilder")
            .field("opener", &self.opener)
            .field("prefix", &self.prefix)
            .field("batch", &self.batch)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}

/// Starts a thread.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Problem> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| {
        let text = "a thread of the store cannot be started: raise the limit of threads";
        Problem::new(StoreErrorKind::Unavailable, text).with_source(error)
    })
}

/// The prefix becomes a part of statements, so it must be a name.
fn check_prefix(prefix: &str) -> Result<(), Problem> {
    let is_name = prefix
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let begins_well = !prefix.starts_with(|first: char| first.is_ascii_digit())
        && !prefix.to_ascii_lowercase().starts_with("sqlite_");
    if is_name && begins_well && prefix.len() <= LONGEST_PREFIX {
        return Ok(());
    }
    Err(config(
        "the table prefix may have 40 ASCII letters, digits and underscores, must not begin with a digit \
         and not with sqlite_",
    ))
}
