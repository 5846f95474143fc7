//! What a run has come to so far, and the line that shows it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::summary::describe;
use super::verdict::{Attempt, Kind, Next, Verdict};

/// Counters that change while a run is under way.
#[derive(Debug, Default)]
pub(super) struct Progress {
    begun: AtomicU64,
    sent: AtomicU64,
    waiting: AtomicU64,
    delivered: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
    first_failure: OnceLock<String>,
    failure_known: Notify,
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
            Verdict::Lost
            | Verdict::WronglyAccepted
            | Verdict::Unanswered
            | Verdict::Unproven
            | Verdict::Unfinished => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps the first attempt that has to be repeated, which is worth knowing before the last one.
    pub(super) fn failed_first(&self, callback: u64, kind: Kind, attempts: &[Attempt], next: Next) {
        let (Next::Retry(at), [.., last]) = (next, attempts) else {
            return;
        };
        let seconds = at.saturating_sub(last.ended).as_secs_f64();
        let failure = || {
            self.failure_known.notify_one();
            let (kind, reply) = (kind.name(), describe(&last.reply));
            format!("first failure: #{callback} {kind}: {reply}; trying again in {seconds:.1} s")
        };
        self.first_failure.get_or_init(failure);
    }

    /// Waits for the first attempt that fails, if there is one.
    pub(super) async fn first_failure(&self) -> &str {
        loop {
            if let Some(failure) = self.first_failure.get() {
                return failure;
            }
            self.failure_known.notified().await;
        }
    }

    /// One line for a terminal, with the callbacks that were planned in all and the time since the
    /// beginning. It fits into 60 columns, since one that wraps cannot be overwritten.
    pub(super) fn line(&self, planned: u64, elapsed: Duration) -> String {
        let get = |counter: &AtomicU64| short(counter.load(Ordering::Relaxed));
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let sent = self.sent.load(Ordering::Relaxed).saturating_mul(1_000);
        let rate = short(sent.checked_div(milliseconds).unwrap_or(0));
        let (begun, planned, waiting) = (get(&self.begun), short(planned), get(&self.waiting));
        let fine = self.delivered.load(Ordering::Relaxed) + self.rejected.load(Ordering::Relaxed);
        let (fine, failed) = (short(fine), get(&self.failed));
        format!("{begun}/{planned} begun, {rate}/s, {fine} ok, {waiting} waiting, {failed} failed")
    }
}

/// A number in at most four characters, up to 999 million.
fn short(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}M", number / 1_000_000),
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
            "4/9 begun, 5/s, 3 ok, 1 waiting, 1 failed"
        );
        progress.sent.store(999_999_999, Ordering::Relaxed);
        for counter in [
            &progress.begun,
            &progress.delivered,
            &progress.waiting,
            &progress.failed,
        ] {
            counter.store(999_999_999, Ordering::Relaxed);
        }
        let longest = progress.line(999_999_999, Duration::from_secs(1));
        assert!(longest.len() <= 60, "{longest}");
    }
}
