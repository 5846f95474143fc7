//! What a run has come to so far, and the line that shows it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::verdict::Verdict;

/// Counters that change while a run is under way.
#[derive(Debug, Default)]
pub(super) struct Progress {
    begun: AtomicU64,
    sent: AtomicU64,
    waiting: AtomicU64,
    delivered: AtomicU64,
    rejected: AtomicU64,
    astray: AtomicU64,
}

impl Progress {
    pub(super) fn begun(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn waits_for_retry(&self, waits: bool) {
        if waits {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn ended(&self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Delivered => &self.delivered,
            Verdict::Rejected => &self.rejected,
            Verdict::Lost | Verdict::WronglyAccepted | Verdict::Unanswered => &self.astray,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// One line for a terminal, with the callbacks that were planned in all and the time since the
    /// beginning. It fits into 80 columns, since one that wraps cannot be overwritten.
    pub(super) fn line(&self, planned: u64, elapsed: Duration) -> String {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sent = get(&self.sent);
        let seconds = elapsed.as_secs_f64();
        let rate = if seconds > 0.0 {
            sent as f64 / seconds
        } else {
            0.0
        };
        let (begun, delivered) = (get(&self.begun), get(&self.delivered));
        let (waiting, rejected) = (get(&self.waiting), get(&self.rejected));
        let astray = get(&self.astray);
        format!(
            "{begun}/{planned} begun, {rate:.0}/s, {delivered} delivered, {waiting} waiting, {rejected} rejected, {astray} astray"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_what_has_happened() {
        let progress = Progress::default();
        assert!(progress.line(1, Duration::ZERO).contains(" 0/s"));
        for (verdict, attempts) in [
            (Verdict::Delivered, 1),
            (Verdict::Delivered, 3),
            (Verdict::Rejected, 1),
            (Verdict::Lost, 6),
        ] {
            progress.begun();
            (0..attempts).for_each(|_| progress.sent());
            progress.ended(verdict);
        }
        progress.waits_for_retry(true);
        assert_eq!(
            progress.line(9, Duration::from_secs(2)),
            "4/9 begun, 6/s, 2 delivered, 1 waiting, 1 rejected, 1 astray"
        );
    }
}
