//! Figures in Prometheus' text format.

use std::fmt::{Display, Write as _};

use zego_record_core::Verdict;
use zego_record_inbox::{EntryState, Stats, WorkerCounters};
use zego_record_receiver::Counters;

/// What there is to measure; `None` where it does not apply or is not known now.
pub(super) struct Figures<'a> {
    pub(super) receiver: &'a Counters,
    pub(super) worker: Option<WorkerCounters>,
    pub(super) stats: Option<Stats>,
    pub(super) is_down: Option<bool>,
    pub(super) free: Option<u64>,
}

impl Figures<'_> {
    pub(super) fn render(&self) -> String {
        let mut out = Text(String::with_capacity(4 * 1024));
        out.family(
            "zego_record_answers_total",
            "counter",
            "Requests answered, by verdict",
        );
        for verdict in Verdict::ALL {
            let label = format!("verdict=\"{verdict}\"");
            out.labelled(
                "zego_record_answers_total",
                &label,
                self.receiver.answered(*verdict),
            );
        }
        let counters = self.receiver;
        for (name, help, value) in [
            (
                "zego_record_signatures_reused_total",
                "Signatures that came a second time with other content",
                counters.signatures_reused,
            ),
            (
                "zego_record_store_failures_total",
                "Requests to the database that failed while receiving",
                counters.store_failures,
            ),
            (
                "zego_record_abandoned_total",
                "Callbacks that could not be accepted and did not come again",
                counters.abandoned,
            ),
            (
                "zego_record_quarantine_suppressed_total",
                "Signed and rejected bodies that were not kept: seen before, or too many",
                counters.quarantine_suppressed,
            ),
        ] {
            out.one(name, "counter", help, value);
        }
        out.one(
            "zego_record_suspected_clock_skew_seconds",
            "gauge",
            "By how much the senders' clock seems to differ from ours; 0 if it does not",
            counters.suspected_clock_skew.unwrap_or(0),
        );
        self.worker(&mut out);
        self.inbox(&mut out);
        out.0
    }

    fn worker(&self, out: &mut Text) {
        let Some(worker) = self.worker else { return };
        let name = "zego_record_inbox_attempts_total";
        out.family(
            name,
            "counter",
            "Attempts to forward that have ended, by outcome",
        );
        for (outcome, value) in [
            ("done", worker.done),
            ("discarded", worker.discarded),
            ("failed", worker.failed),
            ("released", worker.released),
            ("dead", worker.dead),
        ] {
            out.labelled(name, &format!("outcome=\"{outcome}\""), value);
        }
        for (name, help, value) in [
            (
                "zego_record_inbox_leases_lost_total",
                "Runs whose lease ended before they were settled",
                worker.leases_lost,
            ),
            (
                "zego_record_inbox_not_settled_total",
                "Runs whose end could not be recorded",
                worker.not_settled,
            ),
            (
                "zego_record_inbox_corrupt_total",
                "Callbacks whose stored form could not be read",
                worker.corrupt,
            ),
            (
                "zego_record_inbox_store_failures_total",
                "Requests to the database that failed while forwarding",
                worker.store_failures,
            ),
            (
                "zego_record_inbox_pruned_total",
                "Callbacks that were removed since they were done for long enough",
                worker.pruned,
            ),
        ] {
            out.one(name, "counter", help, value);
        }
        out.one(
            "zego_record_inbox_handlers_running",
            "gauge",
            "Callbacks that are being forwarded",
            worker.running,
        );
        if let Some(is_down) = self.is_down {
            let help = "1 while the destination is down and only probed";
            out.one(
                "zego_record_destination_down",
                "gauge",
                help,
                u8::from(is_down),
            );
        }
    }

    fn inbox(&self, out: &mut Text) {
        if let Some(stats) = self.stats {
            let name = "zego_record_inbox_callbacks";
            out.family(name, "gauge", "Callbacks in the inbox, by state");
            for state in EntryState::ALL {
                out.labelled(name, &format!("state=\"{state}\""), stats.of(*state));
            }
            out.one(
                "zego_record_inbox_oldest_seconds",
                "gauge",
                "How long ago the oldest callback that is not over was accepted",
                stats.oldest.unwrap_or_default().as_secs_f64(),
            );
            let help = "1 while the inbox is paused";
            out.one(
                "zego_record_inbox_paused",
                "gauge",
                help,
                u8::from(stats.paused),
            );
        }
        let help = "1 if the database has answered just now";
        let is_up = u8::from(self.stats.is_some());
        out.one("zego_record_database_up", "gauge", help, is_up);
        if let Some(free) = self.free {
            let help = "Bytes that are free on the database's disk";
            out.one("zego_record_disk_free_bytes", "gauge", help, free);
        }
    }
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn labelled(&mut self, name: &str, label: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name}{{{label}}} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }
}
