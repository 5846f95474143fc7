//! What it costs to read and verify a body, beside parsing alone and beside doing it by hand.
//!
//! `cargo bench -p zego-record-benches --bench verify`, and `-- --plot` to draw `verify.svg` anew.

#![allow(clippy::print_stdout, reason = "the table is its result")]

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use zego_record_benches::chart::Chart;
use zego_record_benches::contest::{self, Contest};
use zego_record_benches::rounds::{self, Samples};
use zego_record_benches::table::Table;
use zego_record_benches::{allocations, callgrind, machine};

const ROUNDS: usize = 100;
const TIMES: usize = 300;

fn main() {
    println!(
        "\n{}\n{ROUNDS} interleaved rounds of {TIMES}; medians and quartiles\n",
        machine::description()
    );
    let mut contests = contest::verification();
    let timed: Vec<Vec<Samples>> = contests
        .iter_mut()
        .map(|contest| rounds::time(contest, ROUNDS, TIMES))
        .collect();
    println!("{}", times(&contests, &timed));
    println!("{}", costs(&contests));
    println!("{}", worst_bodies());
    if env::args().any(|argument| argument == "--plot") {
        plot(&contests, &timed);
    }
}

fn times(contests: &[Contest], timed: &[Vec<Samples>]) -> Table {
    let mut table = Table::new(&[
        "time",
        "parse only, ns",
        "naive, ns",
        "core, ns",
        "core / parse only",
        "core / naive",
    ]);
    for (contest, samples) in contests.iter().zip(timed) {
        let [parse, naive, core] = &samples[..] else {
            unreachable!("three contenders")
        };
        let ns = |samples: &Samples| format!("{:.0}", samples.spread().median);
        table.row([
            contest.name.clone(),
            ns(parse),
            ns(naive),
            ns(core),
            core.relative_to(parse).spread().to_string(),
            core.relative_to(naive).spread().to_string(),
        ]);
    }
    table
}

/// What bodies of 64 KiB take that are made to take long. The key is computed of bodies that are signed and
/// fresh, and must take less than a millisecond.
fn worst_bodies() -> Table {
    let mut table = Table::new(&[
        "64 KiB",
        "read and authenticated, us",
        "with its delivery key, us",
    ]);
    for mut contest in contest::worst_bodies() {
        let samples = rounds::time(&mut contest, ROUNDS, 1);
        let us = |samples: &Samples| format!("{:.0}", samples.spread().median / 1_000.0);
        table.row([contest.name, us(&samples[0]), us(&samples[1])]);
    }
    table
}

/// What is the same in every run.
fn costs(contests: &[Contest]) -> Table {
    let allocations = allocations::count(Path::new(env!("CARGO_BIN_EXE_allocations")), "verify");
    let allocations: BTreeMap<_, _> = allocations.into_iter().collect();
    let workload = Path::new(env!("CARGO_BIN_EXE_workload"));
    let instructions = callgrind::count(workload, &["verify", "all"]).unwrap_or_default();
    let instructions: BTreeMap<_, _> = instructions.into_iter().collect();
    let mut table = Table::new(&[
        "cost",
        "contender",
        "allocations",
        "bytes",
        "instructions",
        "of them SHA",
        "/ parse only",
    ]);
    for contest in contests {
        let name = |contender| format!("{} / {contender}", contest.name);
        let floor = instructions.get(&name("parse only"));
        for contender in &contest.contenders {
            let name = name(contender.name);
            let allocations = allocations[&name];
            let counted = instructions.get(&name);
            // Without valgrind there are no instructions to show.
            let show = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
            table.row([
                contest.name.clone(),
                contender.name.to_owned(),
                allocations.count.to_string(),
                allocations.bytes.to_string(),
                show(counted.map(|counted| counted.total)),
                show(counted.map(|counted| counted.sha)),
                match (counted, floor) {
                    (Some(counted), Some(floor)) => ratio(counted.total, floor.total),
                    _ => "-".to_owned(),
                },
            ]);
        }
    }
    table
}

fn ratio(count: u64, floor: u64) -> String {
    let hundredths = (count * 100 + floor / 2) / floor;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn plot(contests: &[Contest], timed: &[Vec<Samples>]) {
    let mut chart =
        Chart::new("Time to read and verify a callback (Tencent), relative to parsing it alone");
    for (contest, samples) in contests.iter().zip(timed) {
        if contest.name.contains("tencent") {
            chart.group(&contest.name);
            for (contender, sample) in contest.contenders.iter().zip(samples) {
                let ratio = sample.relative_to(&samples[0]).spread().median;
                chart.bar(contender.name, contender.is_ours, ratio);
            }
        }
    }
    chart.write("verify.svg");
}
