//! Replays the golden table and the committed corpus, without libFuzzer.

use std::path::Path;
use std::{fs, panic};

use zego_record_fuzz::{checks, seeds};

/// Runs a check on all inputs of its target, and names those that fail.
fn replay(target: &str, check: fn(&[u8])) {
    let mut inputs = seeds::all().remove(target).expect("the target has seeds");
    assert!(!inputs.is_empty());
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let files = fs::read_dir(&corpus).expect("the target has a corpus");
    for file in files {
        let path = file.expect("the corpus is readable").path();
        let input = fs::read(&path).expect("the corpus is readable");
        inputs.insert(path.display().to_string(), input);
    }
    let failed: Vec<_> = inputs
        .iter()
        .filter(|(_, input)| panic::catch_unwind(|| check(input)).is_err())
        .map(|(name, input)| format!("{name}: {}", String::from_utf8_lossy(input)))
        .collect();
    assert!(failed.is_empty(), "{target}:\n{}", failed.join("\n"));
}

#[test]
fn verdict() {
    replay("verdict", checks::verdict::check);
}

#[test]
fn wire_equivalence() {
    replay("wire_equivalence", checks::wire_equivalence::check);
}

#[test]
fn fixpoint() {
    replay("fixpoint", checks::fixpoint::check);
}

#[test]
fn signature() {
    replay("signature", checks::signature::check);
}

#[test]
fn extra_params() {
    replay("extra_params", checks::extra_params::check);
}

#[test]
fn differential() {
    replay("differential", checks::differential::check);
}

#[test]
fn captured() {
    replay("captured", checks::captured::check);
}

#[test]
fn stored() {
    replay("stored", checks::stored::check);
}
