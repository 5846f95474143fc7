//! What has happened: the effects and the kills, in the order in which they did.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use zego_record_postgres::tokio_postgres::{self, Client, NoTls};
use zego_record_sqlite::rusqlite::Connection;
use zego_record_tests::{Kind, Place};

use crate::plan::Plan;
use crate::process::Effects;

pub(crate) struct Truth {
    journal: PathBuf,
    database: Option<Database>,
}

enum Database {
    Sqlite(Connection),
    Postgres(Client, String),
}

#[derive(Debug)]
pub(crate) struct Found {
    effects: usize,
    again: usize,
}

impl Truth {
    pub(crate) async fn new(place: &Place, effects: Effects) -> Self {
        let number = fastrand::u64(..);
        let journal = std::env::temp_dir().join(format!("zego-record-journal-{number:016x}"));
        File::create(&journal).unwrap();
        let database = match effects {
            Effects::InFile => None,
            Effects::InTransaction => Some(Database::create(place).await),
        };
        Self { journal, database }
    }

    /// A line `effect PROCESS STREAM` for each effect, and `killed PROCESS` after its end.
    pub(crate) fn journal(&self) -> &Path {
        &self.journal
    }

    /// Each callback has its effect, nothing else has one, and none happened again without a kill between.
    pub(crate) async fn check(&self, plan: Plan) -> Found {
        let callbacks = plan.callbacks;
        let journal = fs::read_to_string(&self.journal).unwrap();
        let kills = journal.lines().filter(|line| line.starts_with("killed "));
        assert_eq!(kills.count(), plan.kills);
        let counts = match &self.database {
            None => excused(&journal),
            Some(database) => {
                let counts = database.counts().await;
                let repeated = counts.iter().find(|(_, count)| **count != 1);
                assert_eq!(repeated, None, "an effect did not happen exactly once");
                counts
            }
        };
        for number in 0..callbacks {
            let stream = plan.stream(number);
            assert!(counts.contains_key(&stream), "{stream} is lost");
        }
        assert_eq!(counts.len(), callbacks, "something forged was handled");
        let effects = counts.values().sum();
        let again = effects - callbacks;
        assert!(
            self.database.is_some() || again > 0,
            "no kill between an effect and its settlement has made a handler run again"
        );
        Found { effects, again }
    }
}

impl Drop for Truth {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.journal);
    }
}

/// How often each stream has had its effect, once it is clear that a kill excuses each repetition.
fn excused(journal: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    let mut last: HashMap<&str, &str> = HashMap::new();
    let mut dead = Vec::new();
    for line in journal.lines() {
        let parts: Vec<_> = line.split(' ').collect();
        match parts[..] {
            ["killed", process] => dead.push(process),
            ["effect", process, stream] => {
                if let Some(before) = last.insert(stream, process) {
                    assert!(
                        dead.contains(&before),
                        "{stream} was handled by {before}, which was alive, and again by {process}"
                    );
                }
                *counts.entry(stream.to_owned()).or_default() += 1;
            }
            _ => panic!("a torn line: {line:?}"),
        }
    }
    counts
}

impl Database {
    async fn create(place: &Place) -> Self {
        // The store creates the schema.
        drop(place.open().await);
        if place.kind() == Kind::Sqlite {
            let connection = Connection::open(place.url()).unwrap();
            let table = "CREATE TABLE effect (stream TEXT NOT NULL)";
            connection.execute_batch(table).unwrap();
            return Self::Sqlite(connection);
        }
        let (client, connection) = tokio_postgres::connect(place.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        let schema = place.name().to_owned();
        let table = format!("CREATE TABLE {schema}.effect (stream text NOT NULL)");
        client.batch_execute(&table).await.unwrap();
        Self::Postgres(client, schema)
    }

    async fn counts(&self) -> HashMap<String, usize> {
        let streams: Vec<String> = match self {
            Self::Sqlite(connection) => {
                let mut select = connection.prepare("SELECT stream FROM effect").unwrap();
                let rows = select.query_map([], |row| row.get(0)).unwrap();
                rows.map(Result::unwrap).collect()
            }
            Self::Postgres(client, schema) => {
                let select = format!("SELECT stream FROM {schema}.effect");
                let rows = client.query(&select, &[]).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        };
        let mut counts = HashMap::new();
        for stream in streams {
            *counts.entry(stream).or_default() += 1;
        }
        counts
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { effects, again } = self;
        write!(f, "{effects} effects, {again} of them again after a kill")
    }
}
