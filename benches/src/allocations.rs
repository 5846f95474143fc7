//! Allocations, counted by the binary `allocations`.

use std::path::Path;
use std::process::Command;

/// Allocations for one run of a contender's work.
#[derive(Clone, Copy, Debug)]
pub struct Allocations {
    /// How many.
    pub count: u64,
    /// How many bytes they take.
    pub bytes: u64,
}

/// Runs the binary: the names that it prints, each with its count.
pub fn count(binary: &Path, argument: &str) -> Vec<(String, Allocations)> {
    let output = Command::new(binary).arg(argument).output();
    let output = output.expect("the binary runs");
    assert!(output.status.success(), "{} fails", binary.display());
    let stdout = String::from_utf8_lossy(&output.stdout);
    let read = |line: &str| {
        let mut cells = line.split('\t');
        let name = cells.next()?.to_owned();
        let count = cells.next()?.parse().ok()?;
        let bytes = cells.next()?.parse().ok()?;
        Some((name, Allocations { count, bytes }))
    };
    stdout.lines().filter_map(read).collect()
}
