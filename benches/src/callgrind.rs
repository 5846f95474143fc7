//! Instructions, counted by valgrind.
//!
//! The binary `workload` runs under callgrind, which writes what it has counted to a file, and starts
//! anew, each time that the function `callgrind_boundary` returns. No library is needed for that, and
//! no other valgrind than the distribution's.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::{env, fs, process};

use crate::contest::Contender;

/// How often a contender's work is done for a count.
pub const TIMES: usize = 200;
/// How often before that, so that tables have grown and lazy values are there.
pub const WARM_UP: usize = 50;

/// Instructions for one run of a contender's work.
#[derive(Clone, Copy, Debug)]
pub struct Instructions {
    /// All of them.
    pub total: u64,
    /// Those of the rounds of SHA-1 and SHA-256. Valgrind knows no SHA instructions, so that there are
    /// far more of them here than on a processor that has some.
    pub sha: u64,
}

/// Runs a contender's work between two boundaries.
pub fn run_counted(contender: &mut Contender) {
    contender.run(WARM_UP);
    callgrind_boundary();
    contender.run(TIMES);
    callgrind_boundary();
}

/// Does nothing; callgrind's command line names it.
#[inline(never)]
fn callgrind_boundary() {
    black_box(());
}

/// Runs `workload` with these arguments under callgrind: the names that it prints, each with its count.
/// `None` if there is no valgrind.
pub fn count(workload: &Path, arguments: &[&str]) -> Option<Vec<(String, Instructions)>> {
    Command::new("valgrind").arg("--version").output().ok()?;
    let folder = env::temp_dir().join(format!("zego-record-benches-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder for callgrind's files");
    let out = folder.join("out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg("--dump-after=*callgrind_boundary*")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(workload)
        .args(arguments)
        .output()
        .expect("valgrind runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{} fails under valgrind: {}",
        workload.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let counts = stdout.lines().enumerate().map(|(index, name)| {
        // Before each part that counts is one with all that came before.
        let part = format!("{}.{}", out.display(), 2 * index + 2);
        let dump = fs::read_to_string(part).expect("callgrind has written two parts for each name");
        (name.to_owned(), read_dump(&dump))
    });
    let counts = counts.collect();
    let _ = fs::remove_dir_all(&folder);
    Some(counts)
}

/// Adds up what each function has cost by itself. A name is spelled out where it occurs first and is
/// a number after that; the line after `calls=` is the cost of the function that is called.
fn read_dump(dump: &str) -> Instructions {
    let mut sha_functions = Vec::new();
    let (mut total, mut sha) = (0, 0);
    let (mut in_sha, mut is_call) = (false, false);
    for line in dump.lines() {
        if let Some((_, function)) = line.split_once("fn=") {
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            if is_sha(name) {
                sha_functions.push(number);
            }
            if line.starts_with("fn=") {
                in_sha = sha_functions.contains(&number);
            }
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.rsplit(' ').next().and_then(|cost| cost.parse().ok());
            let cost: u64 = cost.unwrap_or_default();
            if !is_call {
                total += cost;
                sha += if in_sha { cost } else { 0 };
            }
            is_call = false;
        }
    }
    let times = TIMES as u64;
    Instructions {
        total: total / times,
        sha: sha / times,
    }
}

fn is_sha(name: &str) -> bool {
    ["sha1", "sha2"].iter().any(|hash| name.contains(hash)) && name.contains("compress")
}
