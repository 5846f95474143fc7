//! The README's tables match the code.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use zego_record_core::Verdict;

const README: &str = include_str!("../../README.md");

/// The cells of a table's rows, without its head.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let section = README
        .split(heading)
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| "));
    lines
        .skip(1)
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

#[test]
fn the_table_of_crates_lists_the_workspace() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let found: BTreeSet<String> = fs::read_dir(crates)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| format!("[{name}](crates/{name})"))
        .collect();
    let listed: BTreeSet<String> = rows("\n## Crates\n")
        .iter()
        .map(|row| row[0].to_owned())
        .collect();
    assert_eq!(listed, found);
}

#[test]
fn the_table_of_verdicts_lists_all_in_their_order() {
    let listed: Vec<(String, String)> = rows("\n## What is answered\n")
        .iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].to_owned()))
        .collect();
    let row = |verdict: &Verdict| (verdict.code().to_owned(), verdict.status().to_string());
    let all: Vec<_> = Verdict::ALL.iter().map(row).collect();
    assert_eq!(listed, all);
}
