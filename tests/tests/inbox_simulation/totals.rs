//! What was simulated, so that a simulation in which nothing happens is noticed.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Default)]
pub(crate) struct Totals(BTreeMap<String, u64>);

impl Totals {
    pub(crate) fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, number) in &other.0 {
            *self.0.entry(what.clone()).or_default() += number;
        }
    }

    /// Every kind of fault, every answer that a receiver can give here, and each way to end.
    pub(crate) fn assert_nothing_is_missing(&self) {
        for what in [
            "answer: accepted",
            "answer: busy",
            "answer: duplicate",
            "answer: store_unavailable",
            "callback: dead",
            "callback: discarded",
            "callback: done",
            "callback: not stored",
            "network: answer dropped",
            "network: doubled",
            "network: lost",
            "operator: discards",
            "operator: pauses",
            "operator: redelivers",
            "operator: resumes",
            "process: crashed",
            "process: shut down",
            "run: commits",
            "run: effect",
            "run: has lost its lease before its commit",
            "store: accept: answer lost",
            "store: claim: answer lost",
            "store: extends, Applied",
            "store: extends, Stale",
            "store: settle: carried out late",
            "store: settles dead, Applied",
            "store: settles discarded, Applied",
            "store: settles done, Applied",
            "store: settles done, Stale",
            "store: settles release, Applied",
            "store: settles retry, Applied",
            "store: settles retry, Stale",
            "zegocloud: gives up",
        ] {
            assert!(self.0.contains_key(what), "not simulated: {what}");
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.0.iter();
        numbers.try_for_each(|(what, number)| writeln!(f, "{number:>9} {what}"))
    }
}
