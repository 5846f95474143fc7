//! What an inbox costs: callbacks accepted per second beside single commits, and whether a claim gets
//! slower as the backlog grows.
//!
//! ```sh
//! cargo run --release -p zego-record-sqlite --example inbox_throughput -- DIRECTORY [BACKLOG]
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use zego_record_core::DeliveryKey;
use zego_record_inbox::{ClaimDue, EntryState, Filter, InboxStore, Next, Note, RunEnded};
use zego_record_receiver::{Accept, NewCallback, Owner};
use zego_record_sqlite::{SqliteStore, rusqlite};
use zego_record_testkit::CallbackBuilder;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CALLBACKS: u32 = 10_000;
const SMALL: u32 = 1_000;
const CLAIMS: u32 = 300;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments
        .next()
        .ok_or("name a directory for the databases")?;
    let backlog = arguments
        .next()
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let directory = Path::new(&directory);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()?;

    let raw = single_commits(&directory.join("raw.db"))?;
    println!("raw INSERT, a commit each: {raw:.0} callbacks/s");
    for in_flight in [1_u32, 32, 128] {
        let store = SqliteStore::open(directory.join(format!("accept-{in_flight}.db")))?;
        let start = Instant::now();
        let tasks: Vec<_> = (0..in_flight)
            .map(|task| runtime.spawn(accept(store.clone(), task, in_flight, CALLBACKS)))
            .collect();
        for task in tasks {
            runtime.block_on(task)??;
        }
        let rate = f64::from(CALLBACKS) / start.elapsed().as_secs_f64();
        println!(
            "accept, {in_flight} in flight: {rate:.0} callbacks/s, {:.2} x raw",
            rate / raw
        );
    }

    let mut stores = Vec::new();
    for waiting in [SMALL, backlog] {
        let store = SqliteStore::open(directory.join(format!("backlog-{waiting}.db")))?;
        let tasks: Vec<_> = (0..256)
            .map(|task| runtime.spawn(accept(store.clone(), task, 256, waiting)))
            .collect();
        for task in tasks {
            runtime.block_on(task)??;
        }
        stores.push((waiting, store, Vec::new()));
    }
    // In turn, so that whatever else the disk does slows both.
    for _ in 0..CLAIMS {
        for (_, store, times) in &mut stores {
            times.push(runtime.block_on(claim_and_settle(store))?);
        }
    }
    let mut of_small = None;
    for (waiting, store, mut times) in stores {
        times.sort();
        let median = times[times.len() / 2];
        let small = *of_small.get_or_insert(median);
        let ratio = median.as_secs_f64() / small.as_secs_f64();
        println!("{waiting} waiting: median of claim {median:?}, {ratio:.2} x that of {SMALL}");
        runtime.block_on(read(&store))?;
    }
    Ok(())
}

fn callback(number: u32) -> NewCallback {
    let mut callback = NewCallback::new(&CallbackBuilder::new().build());
    let mut key = [0; 32];
    // Spread, as hashes are.
    key[..4].copy_from_slice(&number.wrapping_mul(2_654_435_769).to_be_bytes());
    callback.key = DeliveryKey::from_bytes(key);
    callback.event_id = format!("1:url:https://vod.example.com/{number}.mp4");
    callback.stream_alias = format!("lesson-{}", number / 10);
    callback
}

fn single_commits(path: &Path) -> Outcome<f64> {
    drop(SqliteStore::open(path)?);
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    let start = Instant::now();
    for number in 0..CALLBACKS {
        let callback = callback(number);
        connection
            .prepare_cached(
                "INSERT INTO zego_callback (key, event, received_at, event_id, appid, stream_alias, body)
                 VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6) ON CONFLICT (key) DO NOTHING",
            )?
            .execute(params![
                &callback.key.as_bytes()[..],
                &zego_record_sqlite::event_hash(&callback.event_id)[..],
                callback.event_id.as_bytes(),
                callback.appid.as_bytes(),
                callback.stream_alias.as_bytes(),
                callback.stored
            ])?;
    }
    Ok(f64::from(CALLBACKS) / start.elapsed().as_secs_f64())
}

async fn accept(store: SqliteStore, first: u32, step: u32, end: u32) -> Outcome<()> {
    for number in (first..end).step_by(usize::try_from(step)?) {
        store.accept(&callback(number)).await?;
    }
    Ok(())
}

/// How long the claim of one callback takes, which is done afterwards.
async fn claim_and_settle(store: &SqliteStore) -> Outcome<Duration> {
    let claim = ClaimDue::new(Owner::new(1), Duration::from_secs(60), 1);
    let start = Instant::now();
    let claimed = store.claim_due(&claim).await?;
    let time = start.elapsed();
    for claimed in claimed {
        let ended = RunEnded::new(Next::Done, Note::default());
        store.settle(&claimed.hold, &ended).await?;
    }
    Ok(time)
}

async fn read(store: &SqliteStore) -> Outcome<()> {
    let mut of_stream = Filter::all();
    of_stream.stream_alias = Some("lesson-42".to_owned());
    let mut of_text = Filter::all();
    of_text.text = Some("nowhere".to_owned());
    let start = Instant::now();
    store.stats().await?;
    println!("  stats {:?}", start.elapsed());
    for (name, filter) in [
        ("the newest 50", Filter::all()),
        (
            "the newest 50 that are done",
            Filter::in_state(EntryState::Done),
        ),
        ("those of a stream", of_stream),
        ("those with a text, of which there are none", of_text),
    ] {
        let start = Instant::now();
        store.list(&filter, None, 50).await?;
        println!("  {name}: {:?}", start.elapsed());
    }
    let start = Instant::now();
    let pruned = store.prune(Duration::ZERO, 1_000).await?;
    println!("  prune of {pruned}: {:?}", start.elapsed());
    Ok(())
}
