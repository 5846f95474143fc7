//! The process that receives, and is killed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use zego_record_axum::{Delivery, HandlerError, record};
use zego_record_core::RecordCallback;
use zego_record_postgres::deadpool_postgres::{Manager, Pool};
use zego_record_postgres::tokio_postgres::{Config, NoTls};
use zego_record_postgres::{PostgresStore, Recorded as InPostgres};
use zego_record_receiver::StoreError;
use zego_record_sqlite::rusqlite::{self, Transaction};
use zego_record_sqlite::{Recorded as InSqlite, SqliteStore};
use zego_record_tests::{Place, Store, receiver};

use crate::plan::Plan;

pub(crate) const PLACE: &str = "ZEGO_TEST_PLACE";
pub(crate) const JOURNAL: &str = "ZEGO_TEST_JOURNAL";
pub(crate) const EFFECTS: &str = "ZEGO_TEST_EFFECTS";
/// How long a handler that pauses does so, for the killer.
const PAUSE: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 4;

/// Where an effect is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effects {
    /// At the end of a file, which is synced.
    InFile,
    /// Into a table of the store's database, in the transaction of `record_in`.
    InTransaction,
}

impl Effects {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InFile => "file",
            Self::InTransaction => "transaction",
        }
    }
}

#[derive(Clone)]
enum Effect {
    File(PathBuf),
    Sqlite(SqliteStore),
    Postgres(PostgresStore, Pool, String),
}

/// Receives until it is killed, or until whoever has started it ends.
pub(crate) fn receive() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let place = Place::from_text(&std::env::var(PLACE).unwrap());
        let store = place.open().await;
        let receiver = store.remember(receiver()).build().unwrap();
        let effect = Effect::of(&store, &place);
        let run = move |delivery: Delivery| {
            let effect = effect.clone();
            async move { handle(effect, delivery).await }
        };
        let app: Router = Router::new().route("/", record(receiver, run));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        say(&format!(
            "listening {}",
            listener.local_addr().unwrap().port()
        ));
        axum::serve(listener, app).await.unwrap();
    });
}

async fn handle(effect: Effect, delivery: Delivery) -> Result<(), HandlerError> {
    let recording = delivery.callback().clone();
    let pausing = Plan::pausing(recording.stream_alias(), delivery.attempt());
    effect.happen(recording).await?;
    if let Some(number) = pausing {
        say(&format!("paused {number}"));
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

impl Effect {
    fn of(store: &Store, place: &Place) -> Self {
        let is_in_file = std::env::var(EFFECTS).unwrap() == Effects::InFile.name();
        match store.clone() {
            Store::Sqlite(store) if !is_in_file => Self::Sqlite(store),
            Store::Postgres(store) if !is_in_file => {
                let config: Config = place.url().parse().unwrap();
                let pool = Pool::builder(Manager::new(config, NoTls)).max_size(CONNECTIONS);
                let effect = format!("INSERT INTO {}.effect (stream) VALUES ($1)", place.name());
                Self::Postgres(store, pool.build().unwrap(), effect)
            }
            _ => Self::File(std::env::var_os(JOURNAL).unwrap().into()),
        }
    }

    async fn happen(self, recording: RecordCallback) -> Result<(), HandlerError> {
        match self {
            Self::File(journal) => {
                let line = format!("effect {} {}", std::process::id(), recording.stream_alias());
                tokio::task::spawn_blocking(move || write_line(&journal, &line)).await?;
            }
            Self::Sqlite(store) => {
                let this = store.clone();
                let save = move |transaction: &Transaction<'_>| -> Result<(), Failure> {
                    if this.record_in(transaction, &recording)? == InSqlite::First {
                        let effect = "INSERT INTO effect (stream) VALUES (?1)";
                        transaction.execute(effect, [recording.stream_alias()])?;
                    }
                    Ok(())
                };
                store
                    .with_transaction(save)
                    .await
                    .map_err(|failure| failure.0)?;
            }
            Self::Postgres(store, pool, effect) => {
                let mut client = pool.get().await?;
                let transaction = client.transaction().await?;
                if store.record_in(&transaction, &recording).await? == InPostgres::First {
                    transaction
                        .execute(&effect, &[&recording.stream_alias()])
                        .await?;
                }
                transaction.commit().await?;
            }
        }
        Ok(())
    }
}

struct Failure(Box<dyn std::error::Error + Send + Sync>);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.into())
    }
}

/// Adds a line to a file that several processes write, whole or not at all, and syncs it.
pub(crate) fn write_line(path: &Path, line: &str) {
    let mut file = File::options().append(true).open(path).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
    file.sync_data().unwrap();
}

/// One write for each line, and a line of its own: the test's harness writes, too.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
