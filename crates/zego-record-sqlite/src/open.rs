//! Opens a connection and makes sure of all that durability rests on.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use zego_record_receiver::StoreErrorKind;

use crate::error::{Problem, config, explain};
use crate::failpoint::failpoint;
use crate::inbox::add_functions;
use crate::sql::Statements;

/// Older ones can corrupt a database in WAL mode, see <https://sqlite.org/wal.html>.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Others may be creating the tables, or recovering a long log.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// The version of the tables that this program creates and knows.
const SCHEMA_VERSION: i64 = 2;
/// How long SQLite itself waits for a lock. [`begin`] repeats it, since the pauses that SQLite makes become
/// so long that another process that writes all the time would never be met between two transactions.
const POLL: Duration = Duration::from_millis(5);
/// More than there are statements.
const CACHED_STATEMENTS: usize = 64;

/// How a store opens its connections.
#[derive(Debug)]
pub(crate) struct Opener {
    pub(crate) path: PathBuf,
    pub(crate) timeout: Duration,
    pub(crate) create_tables: bool,
    pub(crate) keep_file_mode: bool,
}

impl Opener {
    /// The first connection: creates file and tables, and waits for others that do the same.
    pub(crate) fn first(&self, statements: &Statements) -> Result<Connection, Problem> {
        check_version(rusqlite::version_number())?;
        if self.path.is_dir() {
            let path = self.path.display();
            return Err(config(format!("{path} is a directory: name a file in it")));
        }
        create_file(&self.path)?;
        self.check_file_mode()?;
        let mut connection = self.connect(OPEN_TIMEOUT.max(self.timeout))?;
        if self.create_tables {
            create_tables(&mut connection, statements, OPEN_TIMEOUT.max(self.timeout))?;
        }
        check_tables(&connection, statements)?;
        self.check_file_mode()?;
        connection.busy_timeout(POLL).map_err(explain)?;
        Ok(connection)
    }

    /// A connection to a file that exists, to write.
    pub(crate) fn connection(&self) -> Result<Connection, Problem> {
        let connection = self.connect(self.timeout)?;
        connection.busy_timeout(POLL).map_err(explain)?;
        Ok(connection)
    }

    /// A connection to a file that exists, to read. It is not read-only for SQLite, since the last
    /// connection that is closed has to tidy up the log.
    pub(crate) fn reading(&self) -> Result<Connection, Problem> {
        let connection = self.connect(self.timeout)?;
        set(&connection, "query_only", 1)?;
        Ok(connection)
    }

    fn connect(&self, timeout: Duration) -> Result<Connection, Problem> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(explain)?;
        connection.busy_timeout(timeout).map_err(explain)?;
        enter_wal_mode(&connection, timeout)?;
        for (name, value) in [
            ("synchronous", 2),
            ("fullfsync", 1),
            ("checkpoint_fullfsync", 1),
            ("cell_size_check", 1),
            ("trusted_schema", 0),
        ] {
            set(&connection, name, value)?;
        }
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        add_functions(&connection).map_err(explain)?;
        Ok(connection)
    }

    /// A database, its log and the log's index hold signatures and playback URLs.
    #[cfg(unix)]
    fn check_file_mode(&self) -> Result<(), Problem> {
        use std::os::unix::fs::PermissionsExt;
        if self.keep_file_mode {
            return Ok(());
        }
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(suffix);
            let mode = match fs::metadata(&path) {
                Ok(file) => file.permissions().mode(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    let text = "the mode of the database cannot be read";
                    return Err(Problem::new(StoreErrorKind::Unavailable, text).with_source(error));
                }
            };
            if mode & 0o077 != 0 {
                let path = Path::new(&path).display();
                return Err(config(format!(
                    "others may read {path}: run `chmod 600` on it, or call `insecure_keep_file_mode`"
                )));
            }
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn check_file_mode(&self) -> Result<(), Problem> {
        Ok(())
    }
}

/// Begins a transaction that holds the write lock from the start, and waits for the lock this long.
pub(crate) fn begin(
    connection: &mut Connection,
    timeout: Duration,
) -> rusqlite::Result<Transaction<'_>> {
    let start = Instant::now();
    loop {
        match Transaction::new_unchecked(connection, TransactionBehavior::Immediate) {
            Err(error) if is_busy(&error) && start.elapsed() < timeout => {}
            result => return result,
        }
    }
}

fn check_version(version: i32) -> Result<(), Problem> {
    if version >= OLDEST_SQLITE {
        return Ok(());
    }
    Err(config(format!(
        "SQLite {version} can corrupt a database in WAL mode: link {OLDEST_SQLITE} (3.51.3) or later"
    )))
}

fn create_file(path: &Path) -> Result<(), Problem> {
    match create_private(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let text = format!(
                "{} cannot be created: its directory must exist and this process may write to it",
                path.display()
            );
            Err(Problem::new(StoreErrorKind::Unavailable, text).with_source(error))
        }
    }
}

/// SQLite gives log and index the mode of the database.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// SQLite does not wait for a lock here, so we do.
fn enter_wal_mode(connection: &Connection, timeout: Duration) -> Result<(), Problem> {
    let end = Instant::now() + timeout;
    let mode = loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Err(error) if is_busy(&error) && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            mode => break mode.map_err(explain)?,
        }
    };
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(config(format!(
        "the journal mode is {mode} and not WAL: use a file on a local disk"
    )))
}

/// Sets a pragma and reads it back: SQLite ignores in silence what it does not do.
fn set(connection: &Connection, name: &str, value: i64) -> Result<(), Problem> {
    connection
        .pragma_update(None, name, value)
        .map_err(explain)?;
    let now: i64 = connection
        .pragma_query_value(None, name, |row| row.get(0))
        .map_err(explain)?;
    if now == value {
        return Ok(());
    }
    Err(config(format!(
        "the pragma {name} is {now} and not {value}: link a SQLite that supports it"
    )))
}

/// Creates the tables, or adds what this version has more than an older one.
fn create_tables(
    connection: &mut Connection,
    statements: &Statements,
    timeout: Duration,
) -> Result<(), Problem> {
    let transaction = begin(connection, timeout).map_err(explain)?;
    let is_old = match meta_table_exists(&transaction, statements).map_err(explain)? {
        true => meta(&transaction, statements, "version")
            .optional()
            .map_err(explain)?
            .is_some_and(|version| (1..SCHEMA_VERSION).contains(&version)),
        false => true,
    };
    if is_old {
        transaction
            .execute_batch(&statements.schema)
            .map_err(explain)?;
    }
    failpoint("migration");
    transaction.commit().map_err(explain)
}

fn meta_table_exists(connection: &Connection, statements: &Statements) -> rusqlite::Result<bool> {
    match connection.prepare(&statements.find_meta) {
        Ok(_) => Ok(true),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown) => Ok(false),
        Err(error) => Err(error),
    }
}

fn meta(connection: &Connection, statements: &Statements, name: &str) -> rusqlite::Result<i64> {
    connection.query_row(&statements.find_meta, [name], |row| row.get(0))
}

/// Newer tables fit as long as they say that they are compatible with this version, which they are if
/// something was only added.
fn check_tables(connection: &Connection, statements: &Statements) -> Result<(), Problem> {
    let missing = |error| match error {
        rusqlite::Error::QueryReturnedNoRows => {
            config("the meta table is empty: run the schema, or let the store create its tables")
        }
        error => explain(error),
    };
    let version = meta(connection, statements, "version").map_err(missing)?;
    let compatible = meta(connection, statements, "compatible").map_err(missing)?;
    if version < SCHEMA_VERSION || compatible > SCHEMA_VERSION {
        return Err(config(format!(
            "the tables are of version {version}, for programs of version {compatible} and later, \
             and this program is of version {SCHEMA_VERSION}: update the program, or migrate the tables by \
             running its schema"
        )));
    }
    // Preparing a statement checks its tables, columns and unique keys.
    for statement in statements.used() {
        connection.prepare(statement).map_err(explain)?;
    }
    Ok(())
}

fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(
        error.sqlite_error_code(),
        Some(DatabaseBusy | DatabaseLocked)
    )
}

#[cfg(test)]
mod tests {
    use zego_record_receiver::StoreError;

    use super::*;

    #[test]
    fn rejects_a_sqlite_that_can_corrupt_its_log() {
        assert!(check_version(3_051_003).is_ok());
        assert!(check_version(rusqlite::version_number()).is_ok());
        let error = StoreError::from(check_version(3_051_002).unwrap_err());
        assert_eq!(error.kind(), StoreErrorKind::Config);
    }

    #[test]
    fn rejects_a_pragma_that_does_not_take() {
        let connection = Connection::open_in_memory().unwrap();
        let error = StoreError::from(set(&connection, "synchronous", 9).unwrap_err());
        assert_eq!(error.kind(), StoreErrorKind::Config);
    }
}
