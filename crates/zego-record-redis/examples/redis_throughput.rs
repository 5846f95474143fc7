//! What claim, bind and settlement of a callback cost, beside the same scripts on a connection of one's own,
//! with few and with many deliveries held. Starts a server of its own.
//!
//! ```sh
//! cargo run --release -p zego-record-redis --example redis_throughput
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Client, Script};
use zego_record_core::DeliveryKey;
use zego_record_receiver::{Claim, DeliveryStore, Owner, ReplayCheck, ReplayGuard, Settlement};
use zego_record_redis::{RedisStore, redis};
use zego_record_test_servers::Redis;

const CALLBACKS: u32 = 5_000;
const ROUNDS: u32 = 3;
const DAY: u64 = 24 * 60 * 60 * 1_000;
const BIND: &str = include_str!("../src/scripts/bind.lua");
const CLAIM: &str = concat!(
    include_str!("../src/scripts/record.lua"),
    include_str!("../src/scripts/claim.lua")
);
const SETTLE: &str = concat!(
    include_str!("../src/scripts/record.lua"),
    include_str!("../src/scripts/settle.lua")
);
/// Deliveries that are done, with their events, and signatures.
const FILL: &str = "for n = ARGV[1], ARGV[2] do \
     local key = redis.sha1hex(n) \
     redis.call('SET', 'held:{' .. key .. '}:delivery', '1 done - 1 0 0 ' .. ARGV[3], 'PX', ARGV[4]) \
     redis.call('ZADD', 'held:{' .. key .. '}:event', ARGV[3], key .. key) \
     redis.call('PEXPIRE', 'held:{' .. key .. '}:event', ARGV[4]) \
     redis.call('SET', 'held:signature:' .. key, key, 'PX', ARGV[4]) end";

/// A connection, and what binds, claims and settles.
#[derive(Clone)]
struct Raw(MultiplexedConnection, Arc<[Script; 3]>);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome<()> {
    let server = Redis::start(&[]).ok_or("Redis is skipped")?;
    let patient = Duration::from_secs(60);
    let store = RedisStore::builder()
        .timeout(patient)
        .connect(&server.url())
        .await?;
    let client = Client::open(server.url())?;
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let raw = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let raw = Raw(raw, Arc::new([BIND, CLAIM, SETTLE].map(Script::new)));
    let (mut next, mut filled) = (0, 0);
    for held in [1_000, 1_000_000] {
        fill(raw.0.clone(), filled, held).await?;
        filled = held;
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
                by_hand
                    .push(rate(next, in_flight, &|number| by_scripts(raw.clone(), number)).await?);
                next += CALLBACKS;
            }
            let (by_store, by_hand) = (median(by_store), median(by_hand));
            println!(
                "{held} held, {in_flight} in flight: {by_store:.0} callbacks per second, raw scripts {by_hand:.0}, {:.2} x the time",
                by_hand / by_store
            );
        }
    }
    let (relay, url) = server.behind_relay();
    let store = RedisStore::builder().timeout(patient).connect(&url).await?;
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

async fn fill(mut connection: MultiplexedConnection, from: u32, to: u32) -> Outcome<()> {
    const PAGE: u32 = 1_000;
    for first in (from + 1..=to).step_by(PAGE as usize) {
        let script = Script::new(FILL);
        let mut call = script.prepare_invoke();
        call.arg(first).arg(first + PAGE - 1);
        call.arg(4_000_000_000_000_u64).arg(DAY);
        let () = call.invoke_async(&mut connection).await?;
    }
    Ok(())
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

async fn by_the_store(store: RedisStore, number: u32) -> Outcome<()> {
    let claim = Claim::new(
        DeliveryKey::from_bytes(key(number)),
        event(number),
        Owner::new(1),
    );
    let keep_for = Duration::from_secs(660);
    store
        .bind(&ReplayCheck::new(signature(number), [1; 16], keep_for))
        .await?;
    store.claim(&claim).await?;
    store.settle(&claim, Settlement::Done).await?;
    Ok(())
}

async fn by_scripts(raw: Raw, number: u32) -> Outcome<()> {
    let Raw(mut connection, scripts) = raw;
    let [bind, claim, settle] = &*scripts;
    let signature = format!("raw:signature:{number:040x}");
    let keys = [
        format!("raw:{{{number:032x}}}:delivery:{number:064x}"),
        format!("raw:{{{number:032x}}}:event"),
    ];
    let (content, owner) = (format!("{:032x}", 1), format!("{:032x}", 1));
    let mut call = bind.key(signature);
    let call = call.arg(content).arg(660_000);
    let _: String = call.invoke_async(&mut connection).await?;
    for (script, settlement) in [(claim, ""), (settle, "done")] {
        let mut call = script.prepare_invoke();
        call.key(&keys).arg(&key(number)).arg(&owner);
        call.arg(10_000).arg(DAY * 7).arg(settlement);
        let _: String = call.invoke_async(&mut connection).await?;
    }
    Ok(())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Spread over the keys, as hashes are.
fn key(number: u32) -> [u8; 32] {
    let mut key = [0; 32];
    let spread = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key[..8].copy_from_slice(&spread.to_be_bytes());
    key
}

fn signature(number: u32) -> [u8; 20] {
    let key = key(number);
    std::array::from_fn(|index| key[index])
}

fn event(number: u32) -> String {
    format!("1234567890:file:{number}")
}
