//! What the memory guard and the memory store cost with a million live entries, and with fewer.
//!
//! `cargo bench -p zego-record-benches --bench store`

#![allow(clippy::expect_used, reason = "a failure ends the measurement")]
#![allow(clippy::print_stdout, reason = "the tables are its result")]

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use zego_record_benches::machine;
use zego_record_benches::memory::{Guard, Memory, Store};
use zego_record_benches::table::Table;

const MILLION: u64 = 1_000_000;
const THREADS: u64 = 2;
/// Operations that are timed for each number of live entries, one by one for the smallest.
const SAMPLES: u64 = 200_000;

fn main() {
    println!("\n{}\n", machine::description());
    println!("{}", sizes());
    println!("{}", million());
    println!("{}", bytes());
}

/// One thread; each operation puts in one entry and lets one expire.
fn sizes() -> Table {
    let mut table = Table::new(&[
        "ns an operation, by the number of live entries",
        "1",
        "10",
        "1,000",
        "100,000",
        "1,000,000",
    ]);
    let sizes = [1, 10, 1_000, 100_000, MILLION];
    table.row(row::<Guard>(&sizes));
    table.row(row::<Store>(&sizes));
    table
}

fn row<M: Memory>(sizes: &[u64]) -> Vec<String> {
    let cost = |&live: &u64| {
        let memory = M::new(live);
        (0..live).for_each(|number| memory.put(&memory.entry(number)));
        let (mut spent, mut number) = (Duration::ZERO, live);
        while number < live + SAMPLES {
            // In pieces, since the store's clock goes on when an entry is made.
            let entry = memory.entry(number);
            let begin = Instant::now();
            memory.put(&entry);
            spent += begin.elapsed();
            number += 1;
        }
        format!("{:.0}", spent.as_secs_f64() * 1e9 / SAMPLES as f64)
    };
    let mut cells = vec![M::NAME.to_owned()];
    cells.extend(sizes.iter().map(cost));
    cells
}

/// Two threads. Times are by the wall, with what the scheduler and the other thread's lock cost; a pause is
/// the processor time of the longest operation, since on a shared machine the wall shows others' work.
fn million() -> Table {
    let mut table = Table::new(&[
        "1,000,000 live entries, 2 threads",
        "p50, ns",
        "p99.9, ns",
        "longest pause while it fills, us",
        "while entries come and go, us",
        "while all have expired, us",
    ]);
    table.row(phases::<Guard>());
    table.row(phases::<Store>());
    table
}

fn phases<M: Memory>() -> Vec<String> {
    let memory = M::new(MILLION);
    let next = AtomicU64::new(0);
    let filling = longest(&memory, &next, MILLION);
    let mut times = wall_times(&memory, &next, SAMPLES);
    let steady = longest(&memory, &next, SAMPLES);
    memory.expire_all();
    let expiring = longest(&memory, &next, MILLION);
    assert!(
        memory.held() as u64 <= MILLION + MILLION / 10,
        "what has expired is removed"
    );
    times.sort_unstable();
    let at = |permille: usize| {
        times[(times.len() - 1) * permille / 1000]
            .as_nanos()
            .to_string()
    };
    let us = |pause: Duration| format!("{:.0}", pause.as_secs_f64() * 1e6);
    vec![
        M::NAME.to_owned(),
        at(500),
        at(999),
        us(filling),
        us(steady),
        us(expiring),
    ]
}

fn wall_times<M: Memory>(memory: &M, next: &AtomicU64, operations: u64) -> Vec<Duration> {
    let times = on_threads(memory, next, operations, Vec::new, |times, operation| {
        let begin = Instant::now();
        operation();
        times.push(begin.elapsed());
    });
    times.concat()
}

fn longest<M: Memory>(memory: &M, next: &AtomicU64, operations: u64) -> Duration {
    let pauses = on_threads(
        memory,
        next,
        operations,
        Duration::default,
        |longest, operation| {
            let begin = processor_time();
            operation();
            *longest = processor_time().saturating_sub(begin).max(*longest);
        },
    );
    pauses.into_iter().max().unwrap_or_default()
}

fn on_threads<M: Memory, T: Send>(
    memory: &M,
    next: &AtomicU64,
    operations: u64,
    begin: impl Fn() -> T + Sync,
    measure: impl Fn(&mut T, &dyn Fn()) + Sync,
) -> Vec<T> {
    let work = || {
        let mut measured = begin();
        for _ in 0..operations / THREADS {
            let entry = memory.entry(next.fetch_add(1, Ordering::Relaxed));
            measure(&mut measured, &|| memory.put(&entry));
        }
        measured
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let measured = threads.into_iter().map(|thread| thread.join());
        measured
            .map(|measured| measured.expect("no panic"))
            .collect()
    })
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
    seconds + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

fn bytes() -> Table {
    let mut table = Table::new(&["memory", "bytes an entry", "allocations an operation"]);
    let output = Command::new(env!("CARGO_BIN_EXE_allocations"))
        .arg("store")
        .output();
    let stdout = output.expect("the binary runs").stdout;
    for line in String::from_utf8_lossy(&stdout).lines() {
        table.row(line.split('\t').map(str::to_owned));
    }
    table
}
