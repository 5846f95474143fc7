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

    /// Every fault, every answer that a receiver can give here, and each way to end.
    pub(crate) fn assert_nothing_is_missing(&self) {
        for what in [
            "answer: busy",
            "answer: discarded",
            "answer: duplicate",
            "answer: future",
            "answer: handled",
            "answer: handler_failed",
            "answer: handler_timeout",
            "answer: in_progress",
            "answer: stale",
            "answer: store_unavailable",
            "callback: acknowledged at the first attempt",
            "callback: acknowledged at the sixth attempt",
            "callback: done, and ZEGOCLOUD does not know",
            "callback: lost",
            "clock: set",
            "network: AnswerDropped",
            "network: Doubled",
            "network: LostAfter",
            "network: LostBefore",
            "process: crashed",
            "process: restarted in good order",
            "run: again after its effect, with an excuse",
            "store: AnswerLate",
            "store: AnswerLost",
            "store: CarriedOutLate",
            "store: Corrupt",
            "store: Hangs",
            "store: Unavailable",
        ] {
            assert!(self.0.contains_key(what), "not simulated: {what}");
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(what, number)| writeln!(f, "{number:>9} {what}"))
    }
}
