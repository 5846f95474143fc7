//! What an HTTP request costs with each extent of this library, beside a bare handler that answers `1`
//! and beside a receiver that is written by hand.
//!
//! `cargo bench -p zego-record-benches --bench http`, and `-- --plot` to draw `http.svg` anew. First in
//! process, over a stream in memory; then over loopback, with the server on one core and the load on
//! the other.

#![allow(clippy::print_stdout, reason = "the tables are its result")]

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::time::SystemTime;

use zego_record_benches::app::{App, Extent, Framework};
use zego_record_benches::chart::Chart;
use zego_record_benches::contest::{self, Contest};
use zego_record_benches::load::{CONNECTIONS, Round, Server, pin};
use zego_record_benches::rounds::{self, Samples};
use zego_record_benches::table::Table;
use zego_record_benches::{allocations, callgrind, corpus, machine};
use zego_record_core::{UnixSeconds, WireForm};

const ROUNDS: usize = 60;
const REQUESTS: usize = 200;
const LOADED_ROUNDS: usize = 12;
const LOADED_REQUESTS: usize = 8_000;

fn main() {
    println!("\n{}\n", machine::description());
    println!("In process: {ROUNDS} interleaved rounds of {REQUESTS} requests\n");
    let mut contests = contest::in_process((ROUNDS + 1) * REQUESTS);
    let timed: Vec<Vec<Samples>> = contests
        .iter_mut()
        .map(|contest| rounds::time(contest, ROUNDS, REQUESTS))
        .collect();
    println!("{}", in_process(&contests, &timed));

    println!(
        "Over loopback: {LOADED_ROUNDS} interleaved rounds of {LOADED_REQUESTS} requests, {CONNECTIONS} connections\n"
    );
    let loaded: Vec<_> = Framework::ALL.into_iter().map(load).collect();
    for (framework, servers) in Framework::ALL.into_iter().zip(&loaded) {
        println!("{}", over_loopback(framework, servers));
    }
    if env::args().any(|argument| argument == "--plot") {
        plot(&loaded);
    }
}

fn in_process(contests: &[Contest], timed: &[Vec<Samples>]) -> Table {
    let allocations = allocations::count(Path::new(env!("CARGO_BIN_EXE_allocations")), "http");
    let allocations: BTreeMap<_, _> = allocations.into_iter().collect();
    let workload = Path::new(env!("CARGO_BIN_EXE_workload"));
    let instructions = callgrind::count(workload, &["http", "all"]).unwrap_or_default();
    let instructions: BTreeMap<_, _> = instructions.into_iter().collect();
    let mut table = Table::new(&[
        "in process",
        "us",
        "time / bare",
        "instructions",
        "of them SHA",
        "/ bare",
        "/ bare, without SHA",
        "allocations",
    ]);
    for (contest, samples) in contests.iter().zip(timed) {
        let name = |contender| format!("{} / {contender}", contest.name);
        let bare = instructions.get(&name(Extent::Bare.name()));
        for (contender, sample) in contest.contenders.iter().zip(samples) {
            let name = name(contender.name);
            let allocations = allocations[&name].count.to_string();
            let mut cells = vec![
                name.clone(),
                format!("{:.1}", sample.spread().median / 1e3),
                sample.relative_to(&samples[0]).spread().to_string(),
            ];
            match (instructions.get(&name), bare) {
                (Some(counted), Some(bare)) => {
                    let ratio = |count: u64| format!("{:.2}", count as f64 / bare.total as f64);
                    cells.extend([
                        counted.total.to_string(),
                        counted.sha.to_string(),
                        ratio(counted.total),
                        ratio(counted.total - counted.sha),
                    ]);
                }
                _ => cells.extend(["-"; 4].map(str::to_owned)),
            }
            cells.push(allocations);
            table.row(cells);
        }
    }
    table
}

/// A server that was under load.
struct Loaded {
    extent: Extent,
    rounds: Vec<Round>,
    resident: u64,
}

fn load(framework: Framework) -> Vec<Loaded> {
    let exists = |extent: &Extent| App::new(framework, *extent, WireForm::Json).is_some();
    let binary = Path::new(env!("CARGO_BIN_EXE_server"));
    let extents: Vec<Extent> = Extent::ALL.into_iter().filter(exists).collect();
    let servers: Vec<Server> = extents
        .iter()
        .map(|&extent| Server::start(binary, framework, extent))
        .collect();
    pin(1);
    let mut rounds = vec![Vec::new(); servers.len()];
    for round in 0..=LOADED_ROUNDS {
        let numbers = round * LOADED_REQUESTS..(round + 1) * LOADED_REQUESTS;
        let now = UnixSeconds::from(SystemTime::now());
        let requests = corpus::requests(now, WireForm::Json, numbers);
        for turn in 0..servers.len() {
            let index = (round + turn) % servers.len();
            let result = servers[index].take(requests.clone());
            // The first round warms up.
            if round > 0 {
                rounds[index].push(result);
            }
        }
    }
    let result = |((extent, rounds), server): ((Extent, Vec<Round>), &Server)| Loaded {
        extent,
        rounds,
        resident: server.resident(),
    };
    let pairs = extents.into_iter().zip(rounds);
    pairs.zip(&servers).map(result).collect()
}

impl Loaded {
    fn samples(&self, number: impl Fn(&Round) -> f64) -> Samples {
        let mut samples = Samples::default();
        self.rounds
            .iter()
            .for_each(|round| samples.push(number(round)));
        samples
    }

    fn rate(&self) -> Samples {
        self.samples(|round| round.per_second)
    }

    fn rate_by_cpu(&self) -> Samples {
        self.samples(|round| 1.0 / round.cpu.as_secs_f64())
    }
}

fn over_loopback(framework: Framework, servers: &[Loaded]) -> Table {
    let mut table = Table::new(&[
        framework.name(),
        "requests/s",
        "/ bare",
        "/ naive",
        "p50, us",
        "p99, us",
        "CPU a request, us",
        "bare's CPU / its CPU",
        "naive's CPU / its CPU",
        "core used",
        "memory, MiB",
    ]);
    for server in servers {
        let ratio = |samples: Samples, to: Samples| samples.relative_to(&to).spread().to_string();
        let us = |time: fn(&Round) -> std::time::Duration| {
            let samples = server.samples(|round| time(round).as_secs_f64() * 1e6);
            format!("{:.1}", samples.spread().median)
        };
        table.row([
            server.extent.name().to_owned(),
            format!("{:.0}", server.rate().spread().median),
            ratio(server.rate(), servers[0].rate()),
            ratio(server.rate(), servers[1].rate()),
            us(|round| round.p50),
            us(|round| round.p99),
            us(|round| round.cpu),
            ratio(server.rate_by_cpu(), servers[0].rate_by_cpu()),
            ratio(server.rate_by_cpu(), servers[1].rate_by_cpu()),
            format!("{:.2}", server.samples(|round| round.busy).spread().median),
            format!("{:.1}", server.resident as f64 / f64::from(1 << 20)),
        ]);
    }
    table
}

fn plot(loaded: &[Vec<Loaded>]) {
    let mut chart =
        Chart::new("Requests per second over loopback, relative to a bare handler that answers 1");
    for (framework, servers) in Framework::ALL.into_iter().zip(loaded) {
        chart.group(framework.name());
        for server in servers {
            let ratio = server
                .rate()
                .relative_to(&servers[0].rate())
                .spread()
                .median;
            chart.bar(server.extent.name(), server.extent.is_ours(), ratio);
        }
    }
    chart.write("http.svg");
}
