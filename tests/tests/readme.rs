//! The README's tables match the code.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use zego_record_core::Verdict;

const README: &str = include_str!("../../README.md");
const MANIFEST: &str = include_str!("../../Cargo.toml");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

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
    let crates = Path::new(ROOT).join("crates");
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

#[test]
fn every_crate_has_a_readme_of_its_own() {
    for entry in fs::read_dir(Path::new(ROOT).join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let readme = fs::read_to_string(folder.join("README.md")).unwrap();
        assert!(readme.starts_with("# "), "{name}");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("\nreadme = \"README.md\"\n"), "{name}");
    }
}

#[test]
fn supported_versions_are_those_of_the_manifest_and_of_the_adapters() {
    let versions = rows("\n## Ten lines, in your framework\n");
    assert_eq!(versions.len(), 4, "{versions:?}");
    for row in versions {
        // Either a version of the framework itself, or names with their versions.
        let pairs: Vec<(&str, &str)> = match row[2].split_once(' ') {
            None => vec![(row[0], row[2])],
            Some(_) => {
                let names = row[2].split(", ");
                names.map(|name| name.split_once(' ').unwrap()).collect()
            }
        };
        let adapter = Path::new(ROOT)
            .join("crates")
            .join(row[1].trim_matches('`'));
        let adapter = fs::read_to_string(adapter.join("README.md")).unwrap();
        // The text is wrapped.
        let adapter = adapter.split_whitespace().collect::<Vec<_>>().join(" ");
        for (name, version) in pairs {
            let quoted = format!("\"{version}\"");
            let dependency = MANIFEST
                .lines()
                .find(|line| line.starts_with(&format!("{name} = ")));
            assert!(dependency.unwrap().contains(&quoted), "{name} {version}");
            assert!(
                adapter.contains(&format!("{name} {version}")),
                "{name} {version}"
            );
        }
    }
}
