//! What was found, as a table, as JSON and as `JUnit` XML.

use serde::Serialize;

use super::client::Client;
use crate::error::Error;
use crate::io::{Io, Tone, paint, printable, wrap};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Passed,
    Failed,
    NotVisible,
}

/// A promise, and whether it is kept.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    promise: &'static str,
    outcome: Outcome,
    reason: Option<String>,
    by_hand: Option<&'static str>,
}

/// The outcome of a check; its members are documented in [`check`](super).
#[derive(Debug, Serialize)]
pub(super) struct Report {
    url: String,
    fine: bool,
    passed: usize,
    failed: usize,
    not_visible: usize,
    promises: Vec<Line>,
    #[serde(skip)]
    note: Option<String>,
}

impl Report {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            fine: true,
            passed: 0,
            failed: 0,
            not_visible: 0,
            promises: Vec::new(),
            note: None,
        }
    }

    pub(super) fn passed(&mut self, name: &'static str, promise: &'static str) {
        self.passed += 1;
        self.add(name, promise, Outcome::Passed, None, None);
    }

    pub(super) fn failed(&mut self, name: &'static str, promise: &'static str, reason: String) {
        self.failed += 1;
        self.fine = false;
        self.add(name, promise, Outcome::Failed, Some(reason), None);
    }

    pub(super) fn not_visible(
        &mut self,
        name: &'static str,
        promise: &'static str,
        reason: &str,
        by_hand: &'static str,
    ) {
        self.not_visible += 1;
        let reason = Some(reason.to_owned());
        self.add(name, promise, Outcome::NotVisible, reason, Some(by_hand));
    }

    /// A promise that takes several probes: it fails with the first that fails.
    pub(super) fn judge(
        &mut self,
        name: &'static str,
        promise: &'static str,
        probes: Vec<(String, Result<(), String>)>,
    ) {
        let failures: Vec<_> = probes
            .into_iter()
            .filter_map(|(probe, outcome)| Some(format!("{probe}: {}", outcome.err()?)))
            .collect();
        if failures.is_empty() {
            self.passed(name, promise);
        } else {
            self.failed(name, promise, failures.join("; "));
        }
    }

    pub(super) fn add_answer_note(&mut self, client: &Client) {
        let others = client.other_bodies();
        if others > 0 {
            self.note = Some(format!(
                "{others} callbacks were answered with a 2xx that is not 200 with the body 1: today's ZEGOCLOUD takes any 2xx, its older documentation wants the body 1"
            ));
        }
    }

    pub(super) fn is_fine(&self) -> bool {
        self.fine
    }

    pub(super) fn print(&self, io: &mut Io<'_>) -> Result<(), Error> {
        let color = io.out_color;
        for line in &self.promises {
            let (mark, tone) = match line.outcome {
                Outcome::Passed => ("passed     ", Tone::Good),
                Outcome::Failed => ("FAILED     ", Tone::Bad),
                Outcome::NotVisible => ("not visible", Tone::Warning),
            };
            let text = format!("{mark} {:<17} {}", line.name, line.promise);
            let text = wrap(&text, io.width, 30);
            let text = text.replacen(mark, &paint(color, tone, mark), 1);
            writeln!(io.out, "{text}")?;
            for (label, text) in [
                ("", &line.reason),
                ("to see it: ", &line.by_hand.map(str::to_owned)),
            ] {
                if let Some(text) = text {
                    let text = format!("    {label}{}", printable(text));
                    writeln!(io.out, "{}", wrap(&text, io.width, 6))?;
                }
            }
        }
        if let Some(note) = &self.note {
            let note = format!("note: {note}");
            writeln!(io.out, "{}", wrap(&note, io.width, 2))?;
        }
        let (passed, failed, hidden) = (self.passed, self.failed, self.not_visible);
        writeln!(
            io.out,
            "{passed} passed, {failed} failed, {hidden} not visible from outside"
        )?;
        Ok(())
    }

    pub(super) fn junit(&self) -> String {
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"zego-record check\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"0\">\n",
            self.promises.len(),
            self.failed,
            self.not_visible
        );
        for line in &self.promises {
            let reason = escape(line.reason.as_deref().unwrap_or_default());
            let inner = match line.outcome {
                Outcome::Passed => String::new(),
                Outcome::Failed => format!("<failure message=\"{reason}\"/>"),
                Outcome::NotVisible => format!("<skipped message=\"{reason}\"/>"),
            };
            let (name, promise) = (line.name, escape(line.promise));
            xml.push_str(&format!(
                "  <testcase classname=\"zego-record.check.{name}\" name=\"{promise}\">{inner}</testcase>\n"
            ));
        }
        xml.push_str("</testsuite>\n");
        xml
    }

    fn add(
        &mut self,
        name: &'static str,
        promise: &'static str,
        outcome: Outcome,
        reason: Option<String>,
        by_hand: Option<&'static str>,
    ) {
        self.promises.push(Line {
            name,
            promise,
            outcome,
            reason,
            by_hand,
        });
    }
}

/// For an XML attribute; what XML cannot hold becomes visible first.
fn escape(text: &str) -> String {
    printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junit_holds_every_promise_and_survives_what_a_receiver_answers() {
        let mut report = Report::new("http://h/".to_owned());
        report.passed("one", "is kept");
        report.failed("two", "is broken", "500 <b>\"&\u{1b}\u{0}".to_owned());
        report.not_visible("three", "hides", "why", "look");
        let xml = report.junit();
        assert!(
            xml.contains("tests=\"3\" failures=\"1\" skipped=\"1\""),
            "{xml}"
        );
        assert!(
            xml.contains("500 &lt;b&gt;&quot;&amp;\\u{1b}\\u{0}"),
            "{xml}"
        );
        assert!(xml.contains("<skipped message=\"why\"/>"), "{xml}");
        assert!(!report.is_fine());
    }
}
