//! What claim, bind and settlement of a callback cost, beside the same statements on connections of one's
//! own, with few and with many deliveries in the tables. Starts a server of its own.
//!
//! ```sh
//! cargo run --release -p zego-record-postgres --example postgres_throughput
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, Pool};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};
use zego_record_core::DeliveryKey;
use zego_record_postgres::sql::{self, event_hash};
use zego_record_postgres::{PostgresStore, deadpool_postgres, tokio_postgres};
use zego_record_receiver::{Claim, DeliveryStore, Owner, ReplayCheck, ReplayGuard, Settlement};
use zego_record_test_servers::Postgres;

const CALLBACKS: u32 = 2_000;
const ROUNDS: u32 = 3;
const CONNECTIONS: usize = 8;
/// A minute, as the statements take it.
const MINUTE: i64 = 60_000_000;
/// As the store begins each step.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; \
     SET LOCAL lock_timeout = 2000; SET LOCAL idle_in_transaction_session_timeout = 2500";

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome<()> {
    let server = Postgres::start(&[]).ok_or("PostgreSQL is skipped")?;
    let store = PostgresStore::builder().max_connections(CONNECTIONS);
    let store = store.connect(&server.url()).await?;
    let manager = Manager::new(server.url().parse()?, NoTls);
    let pool = Pool::builder(manager).max_size(CONNECTIONS).build()?;
    let mut next = 0;
    for held in [1_000, 1_000_000] {
        fill(&*pool.get().await?, held).await?;
        for in_flight in [1, 32] {
            let (mut by_store, mut by_hand) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                by_store.push(
                    rate(next, in_flight, &|number| {
                        by_the_store(store.clone(), number)
                    })
                    .await?,
                );
                next += CALLBACKS;
                by_hand.push(
                    rate(next, in_flight, &|number| {
                        by_statements(pool.clone(), number)
                    })
                    .await?,
                );
                next += CALLBACKS;
            }
            let (by_store, by_hand) = (median(by_store), median(by_hand));
            println!(
                "{held} held, {in_flight} in flight: {by_store:.0} callbacks per second, raw statements {by_hand:.0}, {:.2} x the time",
                by_hand / by_store
            );
        }
    }
    let (relay, url) = server.behind_relay();
    let store = PostgresStore::builder()
        .max_connections(1)
        .connect(&url)
        .await?;
    by_the_store(store.clone(), next).await?;
    let before = relay.round_trips();
    for number in next + 1..=next + 100 {
        by_the_store(store.clone(), number).await?;
    }
    println!(
        "{} round trips for 100 callbacks",
        relay.round_trips() - before
    );
    Ok(())
}

/// Deliveries and signatures, so many in all.
async fn fill(client: &Client, held: i64) -> Outcome<()> {
    for statement in [
        "INSERT INTO zego_record.delivery SELECT sha256(n::text::bytea), sha256(('e' || n)::bytea), 2, NULL, 1, \
         false, now(), now() + interval '1 day', now(), true FROM generate_series(1, $1::bigint) n ON CONFLICT DO NOTHING",
        "INSERT INTO zego_record.signature SELECT substr(sha256(n::text::bytea), 1, 20), substr(sha256(n::text::bytea), 1, 16), \
         now() + interval '1 day', now(), true FROM generate_series(1, $1::bigint) n ON CONFLICT DO NOTHING",
    ] {
        client.execute(statement, &[&held]).await?;
    }
    client.batch_execute("VACUUM ANALYZE").await?;
    Ok(client.batch_execute("CHECKPOINT").await?)
}

async fn rate<F>(first: u32, in_flight: u32, one: &impl Fn(u32) -> F) -> Outcome<f64>
where
    F: Future<Output = Outcome<()>> + Send + 'static,
{
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in first..first + CALLBACKS {
        if tasks.len() >= in_flight as usize {
            tasks.join_next().await.ok_or("no task")???;
        }
        tasks.spawn(one(number));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(f64::from(CALLBACKS) / begin.elapsed().as_secs_f64())
}

async fn by_the_store(store: PostgresStore, number: u32) -> Outcome<()> {
    let key = DeliveryKey::from_bytes(key(number));
    let claim = Claim::new(key, event(number), Owner::new(1));
    let keep_for = Duration::from_secs(660);
    store
        .bind(&ReplayCheck::new(signature(number), [1; 16], keep_for))
        .await?;
    store.claim(&claim).await?;
    store.settle(&claim, Settlement::Done).await?;
    Ok(())
}

async fn by_statements(pool: Pool, number: u32) -> Outcome<()> {
    let (key, event) = (key(number), event_hash(&event(number)));
    let (signature, content, owner) = (signature(number), [1_u8; 16], [1_u8; 16]);
    let (key, event) = (key.as_slice(), event.as_slice());
    let (signature, content, owner) = (signature.as_slice(), content.as_slice(), owner.as_slice());
    let minute = (&MINUTE as &(dyn ToSql + Sync), Type::INT8);
    step(
        &pool,
        sql::BIND,
        &[bytes(&signature), bytes(&content), minute.clone()],
    )
    .await?;
    let claim = [
        bytes(&key),
        bytes(&event),
        bytes(&owner),
        minute.clone(),
        minute.clone(),
    ];
    step(&pool, sql::CLAIM, &claim).await?;
    step(
        &pool,
        sql::SETTLE_DONE,
        &[bytes(&key), bytes(&event), minute],
    )
    .await
}

fn bytes<'a>(bytes: &'a &'a [u8]) -> (&'a (dyn ToSql + Sync), Type) {
    (bytes, Type::BYTEA)
}

async fn step(pool: &Pool, statement: &str, values: &[(&(dyn ToSql + Sync), Type)]) -> Outcome<()> {
    let client = pool.get().await?;
    let (begin, rows, commit) = tokio::join!(
        biased;
        client.batch_execute(BEGIN),
        client.query_typed(statement, values),
        client.batch_execute("COMMIT"),
    );
    begin?;
    rows?;
    Ok(commit?)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Spread over the index, as hashes are.
fn key(number: u32) -> [u8; 32] {
    event_hash(&format!("key {number}"))
}

fn signature(number: u32) -> [u8; 20] {
    let key = key(number);
    std::array::from_fn(|index| key[index])
}

fn event(number: u32) -> String {
    format!("1234567890:file:{number}")
}
