//! Every test that SECURITY.md names exists.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const SECURITY: &str = include_str!("../../SECURITY.md");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const GOLDEN: &str = "crates/zego-record-testkit/src/golden";

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The cells of the column "shown by", of all tables.
fn shown_by() -> Vec<&'static str> {
    let mut column = None;
    let mut cells = Vec::new();
    for line in SECURITY.lines() {
        let row: Vec<_> = line.split('|').map(str::trim).collect();
        if row.len() < 3 {
            column = None;
        } else if column.is_none() {
            column = row.iter().position(|cell| *cell == "shown by");
            assert!(
                column.is_some(),
                "a table without the column \"shown by\": {line}"
            );
        } else if !line.starts_with("|---") {
            cells.extend(column.map(|column| row[column]));
        }
    }
    cells
}

/// The names of all test functions in the sources below a folder.
fn add_tests(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_tests(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            add_tests_of(&fs::read_to_string(path).unwrap(), names);
        }
    }
}

fn add_tests_of(source: &str, names: &mut BTreeSet<String>) {
    let mut is_test = false;
    // Functions that a macro makes tests of are named in its call, one a line.
    let mut is_list = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("every_mount!(") || line.starts_with("every_receiver!(") {
            is_list = true;
        } else if line == ");" {
            is_list = false;
        } else if is_list {
            names.extend(line.strip_suffix(',').map(str::to_owned));
        } else if line.starts_with("#[") && (line.contains("test]") || line.contains("test(")) {
            is_test = true;
        } else if let Some((_, function)) = line.split_once("fn ")
            && std::mem::take(&mut is_test)
        {
            names.extend(function.split('(').next().map(str::to_owned));
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(ROOT);
    let mut tests = BTreeSet::new();
    for folder in ["crates", "examples", "tests"] {
        add_tests(&root.join(folder), &mut tests);
    }
    let cells = shown_by();
    assert!(cells.len() > 20, "only {} rows", cells.len());
    for cell in cells {
        assert!(quoted(cell).count() > 0, "nothing is shown by {cell:?}");
        for name in quoted(cell) {
            let table = root.join(GOLDEN).join(name).with_extension("json");
            assert!(tests.contains(name) || table.is_file(), "no test: {name}");
        }
    }
    // In the text, four words and more are the name of a test.
    for name in quoted(SECURITY).filter(|name| name.matches('_').count() >= 3) {
        assert!(tests.contains(name), "no test: {name}");
    }
    for path in quoted(SECURITY).filter(|name| name.ends_with(".rs")) {
        assert!(root.join(path).is_file(), "no file: {path}");
    }
}
