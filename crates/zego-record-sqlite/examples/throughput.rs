//! What claim, bind and settlement of a callback cost, beside the same statements on a connection of
//! one's own, with few and with many deliveries in the file.
//!
//! ```sh
//! cargo run --release -p zego-record-sqlite --example throughput -- DIRECTORY
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use zego_record_core::DeliveryKey;
use zego_record_receiver::{Claim, DeliveryStore, Owner, ReplayCheck, ReplayGuard, Settlement};
use zego_record_sqlite::{SqliteStore, event_hash, rusqlite};

const CALLBACKS: u32 = 3_000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let directory = std::env::args()
        .nth(1)
        .ok_or("name a directory for the databases")?;
    let directory = Path::new(&directory);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()?;
    for held in [1_000, 1_000_000] {
        let name = |name: &str| directory.join(format!("{name}-{held}.db"));
        let mut raw = open_raw(&name("raw"))?;
        fill(&mut raw, held)?;
        let raw = rate_of_raw(&raw)?;
        println!("{held} held, raw statements, a commit each: {raw:.0} callbacks per second");
        for (batch, in_flight) in [(256, 1_u32), (1, 32), (256, 32)] {
            let path = name(&format!("store-{batch}-{in_flight}"));
            let store = SqliteStore::builder(&path).max_batch(batch).open()?;
            fill(&mut Connection::open(path)?, held)?;
            let start = Instant::now();
            let tasks: Vec<_> = (0..in_flight)
                .map(|task| runtime.spawn(callbacks(store.clone(), task, in_flight)))
                .collect();
            for task in tasks {
                runtime.block_on(task)??;
            }
            let rate = f64::from(CALLBACKS) / start.elapsed().as_secs_f64();
            println!(
                "{held} held, store, {in_flight} in flight, at most {batch} in a commit: {rate:.0} callbacks per second, {:.2} x raw",
                rate / raw
            );
        }
    }
    Ok(())
}

/// Deliveries that are done, and signatures, so many in all.
fn fill(connection: &mut Connection, held: u32) -> Outcome<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    let transaction = connection.transaction()?;
    for number in CALLBACKS..CALLBACKS + held {
        transaction
            .prepare_cached("INSERT INTO zego_signature VALUES (?1, ?2, ?3)")?
            .execute(params![signature(number), [1_u8; 16], i64::MAX])?;
        transaction
            .prepare_cached(
                "INSERT INTO zego_delivery (key, key_version, state, epoch, changed, expires, event, event_id) \
                 VALUES (?1, 1, 2, 1, 0, ?2, ?3, ?4)",
            )?
            .execute(params![
                key(number),
                i64::MAX,
                event_hash(&event(number)),
                event(number).as_bytes()
            ])?;
    }
    transaction.commit()?;
    // Not while it is measured.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

async fn callbacks(store: SqliteStore, first: u32, step: u32) -> Outcome<()> {
    for number in (first..CALLBACKS).step_by(usize::try_from(step)?) {
        let claim = Claim::new(
            DeliveryKey::from_bytes(key(number)),
            event(number),
            Owner::new(1),
        );
        store
            .bind(&ReplayCheck::new(
                signature(number),
                [1; 16],
                Duration::from_secs(660),
            ))
            .await?;
        store.claim(&claim).await?;
        store.settle(&claim, Settlement::Done).await?;
    }
    Ok(())
}

fn open_raw(path: &Path) -> Outcome<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", 2)?;
    connection.execute_batch(zego_record_sqlite::sql::SCHEMA)?;
    Ok(connection)
}

/// Three commits for each callback, with the fewest statements that can do it.
fn rate_of_raw(connection: &Connection) -> Outcome<f64> {
    let start = Instant::now();
    for number in 0..CALLBACKS {
        connection
            .prepare_cached(
                "INSERT INTO zego_signature VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute(params![signature(number), [1_u8; 16], i64::MAX])?;
        connection
            .prepare_cached(
                "INSERT INTO zego_delivery VALUES (?1, 1, 1, ?2, 1, 1, 0, 1, ?3, ?4) ON CONFLICT DO NOTHING",
            )?
            .execute(params![key(number), [1_u8; 16], [2_u8; 16], event(number).as_bytes()])?;
        connection
            .prepare_cached(
                "UPDATE zego_delivery SET state = 2, owner = NULL, lease_ends = NULL, expires = 2 WHERE key = ?1",
            )?
            .execute([&key(number)[..]])?;
    }
    Ok(f64::from(CALLBACKS) / start.elapsed().as_secs_f64())
}

fn key(number: u32) -> [u8; 32] {
    let mut key = [0; 32];
    // Spread over the index, as hashes are.
    key[..8]
        .copy_from_slice(&(u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes());
    key
}

fn signature(number: u32) -> [u8; 20] {
    let key = key(number);
    std::array::from_fn(|index| key[index])
}

fn event(number: u32) -> String {
    format!("1234567890:file:{number}")
}
