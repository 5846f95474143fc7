//! How a store is configured and opened.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls};
use zego_record_receiver::StoreError;

use crate::store::PostgresStore;
use crate::url::{self, Encryption};
use crate::{connection, error, sql};

/// As good as for ever, and a time that every clock can add.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The version of the tables that this crate creates.
const VERSION: i32 = 2;
/// One number for everybody who migrates: "zegorec1" in ASCII.
const MIGRATION_LOCK: &str = "8819603690044023601";
/// How long opening may take, migration and its lock included.
const OPENING: Duration = Duration::from_secs(30);

/// Configures a [`PostgresStore`].
#[derive(Clone)]
pub struct PostgresStoreBuilder {
    schema: String,
    timeout: Duration,
    retention: Duration,
    max_connections: usize,
    migrate: bool,
}

impl PostgresStoreBuilder {
    pub(crate) fn new() -> Self {
        Self {
            schema: "zego_record".into(),
            timeout: Duration::from_secs(2),
            retention: Duration::from_secs(30 * 24 * 60 * 60),
            max_connections: 8,
            migrate: true,
        }
    }

    /// The schema of the tables, `zego_record` unless set: lower-case letters, digits and underscores, 48
    /// at most, no digit first.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// How long a step may wait for a connection, for a lock and for the server, 2 s unless set.
    #[must_use]
    ///
    /// An hour is the most: more is cut, since no clock could add it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    /// How long a finished delivery is kept unless the receiver is configured otherwise, 30 days unless set.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// How many connections [`connect`](Self::connect) opens at most, 8 unless set.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Does not create the tables, for those who run [`sql::SCHEMA`] themselves; whether they fit is
    /// checked all the same.
    #[must_use]
    pub fn without_migration(mut self) -> Self {
        self.migrate = false;
        self
    }

    /// Opens the store at `postgres://user:password@host:port/database`.
    ///
    /// With the feature `tls`, `sslmode=verify-full` encrypts the connection and rejects a server whose
    /// certificate does not bear its name or is not vouched for: by an authority in the file that
    /// `sslrootcert` names, as PEM, or else by one that the system trusts. `verify-ca` does not look at the
    /// name, and `require` is the same as `verify-full`. Without one of these three nothing is encrypted.
    ///
    /// # Errors
    ///
    /// `Config` if the URL, the login, the tables or the server does not fit, and the errors of a store.
    pub async fn connect(self, url: &str) -> Result<PostgresStore, StoreError> {
        let (config, encryption) = url::parse(url)?;
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = match encryption {
            None => Manager::from_config(config, NoTls, recycling),
            Some(encryption) => encrypted(config, &encryption, recycling)?,
        };
        let pool = Pool::builder(manager)
            .max_size(self.max_connections.max(1))
            .build()
            .map_err(|error| error::config(error.to_string()))?;
        self.from_pool(pool).await
    }

    /// Opens the store on a pool of your own.
    ///
    /// # Errors
    ///
    /// `Config` if the tables or the server do not fit, and the errors of a store.
    pub async fn from_pool(self, pool: Pool) -> Result<PostgresStore, StoreError> {
        if !is_plain_name(&self.schema) {
            return Err(error::config(
                "the schema must be lower-case letters, digits and underscores, 48 at most, no digit first",
            ));
        }
        let (schema, migrate, opened) = (self.schema.clone(), self.migrate, pool.clone());
        let warnings = connection::owned(async move {
            timeout(OPENING, open(&opened, &schema, migrate))
                .await
                .map_err(|_| error::timeout())?
        });
        Ok(PostgresStore::new(
            pool,
            &self.schema,
            self.timeout,
            self.retention,
            warnings.await?,
        ))
    }
}

impl fmt::Debug for PostgresStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStoreBuilder")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "tls")]
fn encrypted(
    config: Config,
    encryption: &Encryption,
    recycling: ManagerConfig,
) -> Result<Manager, StoreError> {
    let tls = crate::tls::Tls::new(encryption)?;
    Ok(Manager::from_config(config, tls, recycling))
}

#[cfg(not(feature = "tls"))]
fn encrypted(_: Config, _: &Encryption, _: ManagerConfig) -> Result<Manager, StoreError> {
    Err(error::config(
        "the URL requires TLS; turn on the feature `tls` of zego-record-postgres, or bring a pool with a TLS \
         connector to `from_pool`",
    ))
}

fn is_plain_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=48).contains(&name.len())
        && name.chars().all(is_plain)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

async fn open(pool: &Pool, schema: &str, migrate: bool) -> Result<Vec<String>, StoreError> {
    // Not given back: whatever happens here, the pool's connections are outside of a transaction.
    let connection = deadpool_postgres::Object::take(pool.get().await.map_err(error::of_pool)?);
    let standby = setting(&connection, "SELECT pg_is_in_recovery()::text").await?;
    if standby == "true" {
        return Err(error::config(
            "the server is a standby; connect to the primary",
        ));
    }
    if migrate {
        let missing = match tables(&connection, schema).await? {
            None => Some(sql::SCHEMA),
            Some(1) => Some(sql::FROM_VERSION_1),
            Some(_) => None,
        };
        if let Some(missing) = missing {
            let script = format!(
                "BEGIN; SET LOCAL client_min_messages = warning; \
                 SELECT pg_advisory_xact_lock({MIGRATION_LOCK}); {} COMMIT",
                sql::in_schema(missing, schema)
            );
            let migrated = connection.batch_execute(&script).await;
            migrated.map_err(error::of_driver)?;
        }
    }
    let (version, oldest) = version(&connection, schema)
        .await
        .map_err(error::of_driver)?;
    if version < VERSION || oldest > VERSION {
        return Err(error::config(format!(
            "the tables have version {version}, which programs from {oldest} on can use, and this program \
             knows version {VERSION}; bring the older of the two up to date"
        )));
    }
    let mut warnings = Vec::new();
    for name in ["fsync", "full_page_writes"] {
        if setting(&connection, &format!("SELECT current_setting('{name}')")).await? == "off" {
            warnings.push(format!(
                "{name} is off: a crash of the server can lose deliveries"
            ));
        }
    }
    Ok(warnings)
}

/// The version of the tables, if they are there. Nothing is created in those that fit, so that a role
/// without the right to create any can use them.
async fn tables(client: &Client, schema: &str) -> Result<Option<i32>, StoreError> {
    let name = format!("SELECT coalesce(to_regclass('{schema}.meta')::text, '')");
    if setting(client, &name).await?.is_empty() {
        return Ok(None);
    }
    let (version, _) = version(client, schema).await.map_err(error::of_driver)?;
    Ok(Some(version))
}

async fn version(client: &Client, schema: &str) -> Result<(i32, i32), tokio_postgres::Error> {
    let row = client
        .query_typed_one(&sql::in_schema(sql::VERSION, schema), &[])
        .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

async fn setting(client: &Client, question: &str) -> Result<String, StoreError> {
    let row = client
        .query_typed_one(question, &[])
        .await
        .map_err(error::of_driver)?;
    row.try_get(0).map_err(error::of_driver)
}
