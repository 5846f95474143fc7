//! Compares instructions and allocations with the committed baseline, or writes a new one:
//! `baseline`, `baseline --write`. The script `check-baseline` builds what is needed and runs it.

#![allow(clippy::expect_used, reason = "a failure ends the comparison")]
#![allow(clippy::print_stdout, reason = "the comparison is its result")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zego_record_benches::table::Table;
use zego_record_benches::{allocations, callgrind};

/// What a change may cost without being noticed.
const TOLERANCE_PERCENT: u64 = 10;

/// Random hash keys alone change instructions by less than this; it is not worth a row.
const NOISE_PERCENT: u64 = 1;

/// Instructions and allocations of one contender's work.
type Costs = BTreeMap<String, (u64, u64)>;

fn main() -> ExitCode {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("baseline.tsv");
    let costs = measure();
    if env::args().nth(1).as_deref() == Some("--write") {
        fs::write(&file, write(&costs)).expect("the baseline can be written");
        println!(
            "{} costs are the baseline now: commit it, and say why they changed",
            costs.len()
        );
        return ExitCode::SUCCESS;
    }
    let baseline = read(&fs::read_to_string(&file).expect("there is a baseline"));
    let (table, grown) = compare(&baseline, &costs);
    println!("{table}");
    if grown.is_empty() {
        println!("no cost has grown by more than {TOLERANCE_PERCENT} %");
        return ExitCode::SUCCESS;
    }
    println!(
        "grown by more than {TOLERANCE_PERCENT} %, or not in the baseline: {}",
        grown.join(", ")
    );
    println!(
        "make it cheaper, or run benches/check-baseline --write and commit the new baseline with the reason"
    );
    ExitCode::FAILURE
}

/// Of this project's code only: what others cost is not ours to watch.
fn measure() -> Costs {
    let mut costs = Costs::new();
    for suite in ["verify", "http"] {
        let instructions = callgrind::count(&sibling("workload"), &[suite, "ours"]);
        let instructions = instructions.expect("valgrind, from the Debian package of that name");
        let allocations: BTreeMap<_, _> = allocations::count(&sibling("allocations"), suite)
            .into_iter()
            .collect();
        for (name, instructions) in instructions {
            let allocations = allocations[&name].count;
            costs.insert(name, (instructions.total, allocations));
        }
    }
    costs
}

/// A row for every cost that has changed, and the names of those that have grown too much.
fn compare(baseline: &Costs, costs: &Costs) -> (Table, Vec<String>) {
    let mut table = Table::new(&[
        "cost",
        "instructions before",
        "now",
        "change",
        "allocations before",
        "now",
    ]);
    let mut grown = Vec::new();
    for (name, &(instructions, allocations)) in costs {
        let before = baseline.get(name).copied();
        let (instructions_before, allocations_before) = before.unwrap_or_default();
        let difference = instructions.abs_diff(instructions_before);
        if allocations == allocations_before
            && difference * 100 < instructions_before * NOISE_PERCENT
        {
            continue;
        }
        table.row([
            name.clone(),
            instructions_before.to_string(),
            instructions.to_string(),
            change(instructions_before, instructions),
            allocations_before.to_string(),
            allocations.to_string(),
        ]);
        if is_grown(instructions_before, instructions) || is_grown(allocations_before, allocations)
        {
            grown.push(name.clone());
        }
    }
    (table, grown)
}

fn is_grown(before: u64, now: u64) -> bool {
    now * 100 > before * (100 + TOLERANCE_PERCENT)
}

fn change(before: u64, now: u64) -> String {
    if before == 0 {
        return "new".to_owned();
    }
    let (before, now) = (i128::from(before), i128::from(now));
    let permille = (now - before) * 1000 / before;
    let sign = if permille < 0 { '-' } else { '+' };
    let permille = permille.abs();
    format!("{sign}{}.{} %", permille / 10, permille % 10)
}

fn write(costs: &Costs) -> String {
    let lines = costs.iter().map(|(name, (instructions, allocations))| {
        format!("{name}\t{instructions}\t{allocations}\n")
    });
    lines.collect()
}

fn read(baseline: &str) -> Costs {
    let line = |line: &str| {
        let mut cells = line.split('\t');
        let name = cells.next()?.to_owned();
        let costs = (cells.next()?.parse().ok()?, cells.next()?.parse().ok()?);
        Some((name, costs))
    };
    baseline.lines().filter_map(line).collect()
}

/// Another binary of this package, built along with this one.
fn sibling(name: &str) -> PathBuf {
    let own = env::current_exe().expect("the path of this binary");
    own.with_file_name(name)
}
