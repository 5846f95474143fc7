//! What a run has come to: counted from its deliveries, for people and for machines.

use std::time::Duration;

use serde::Serialize;

use super::schedule::MAX_ATTEMPTS;
use super::sender::Delivery;
use super::verdict::{Attempt, Kind, Reply, Verdict};
use crate::error::Error;
use crate::io::{Io, Tone, paint, printable};

/// Up to so many deliveries are listed for people; of more, only those that went astray.
const LISTED: usize = 20;

/// The outcome of a run; its members are documented in [`send`](super).
#[derive(Debug, Serialize)]
pub struct Summary {
    url: String,
    seed: u64,
    speed: f64,
    count: u64,
    interrupted: bool,
    unfinished: u64,
    fine: bool,
    totals: Totals,
    latency_ms: Option<Latency>,
    deliveries: Vec<Line>,
}

/// What was asked for, to be shown along with what came of it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) url: String,
    pub(super) seed: u64,
    pub(super) speed: f64,
    pub(super) count: u64,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Totals {
    delivered: u64,
    delivered_at: [u64; MAX_ATTEMPTS],
    lost: u64,
    rejected: u64,
    wrongly_accepted: u64,
    unanswered: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Latency {
    answers: usize,
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct Line {
    callback: u64,
    kind: Kind,
    verdict: Verdict,
    attempts: Vec<AttemptLine>,
}

#[derive(Debug, Serialize)]
struct AttemptLine {
    sent_ms: f64,
    took_ms: f64,
    reply: Reply,
}

impl Summary {
    pub(super) fn new(asked: Asked, interrupted: bool, mut deliveries: Vec<Delivery>) -> Self {
        deliveries.sort_by_key(|delivery| (delivery.callback, delivery.kind as u8));
        let totals = count(&deliveries);
        // Duplicates and tampered ones come in addition to the callbacks that were asked for.
        let finished = deliveries
            .iter()
            .filter(|delivery| !matches!(delivery.kind, Kind::Duplicate | Kind::Tampered))
            .count() as u64;
        let unfinished = asked.count.saturating_sub(finished);
        Self {
            url: asked.url,
            seed: asked.seed,
            speed: asked.speed,
            count: asked.count,
            interrupted,
            unfinished,
            fine: unfinished == 0 && deliveries.iter().all(|delivery| delivery.verdict.is_fine()),
            totals,
            latency_ms: latency(&deliveries),
            deliveries: deliveries.into_iter().map(Line::from).collect(),
        }
    }

    /// Whether everything arrived that had to, and nothing else.
    pub fn is_fine(&self) -> bool {
        self.fine
    }

    pub(super) fn print(&self, io: &mut Io<'_>) -> Result<(), Error> {
        self.print_deliveries(io)?;
        let color = io.out_color;
        let totals = &self.totals;
        let numbers = |tone, number: u64, what: &str| {
            let text = format!("{number} {what}");
            if number == 0 {
                text
            } else {
                paint(color, tone, text)
            }
        };
        let at: Vec<String> = (1..)
            .zip(totals.delivered_at)
            .filter(|(_, count)| *count > 0)
            .map(|(attempt, count)| format!("{count} at attempt {attempt}"))
            .collect();
        let at = if at.is_empty() {
            String::new()
        } else {
            format!(" ({})", at.join(", "))
        };
        writeln!(
            io.out,
            "{}{at}, {}",
            numbers(Tone::Good, totals.delivered, "delivered"),
            numbers(Tone::Bad, totals.lost, "lost"),
        )?;
        writeln!(
            io.out,
            "{} as it had to be, {}, {}",
            numbers(Tone::Good, totals.rejected, "rejected"),
            numbers(Tone::Bad, totals.wrongly_accepted, "wrongly accepted"),
            numbers(Tone::Bad, totals.unanswered, "unanswered"),
        )?;
        if let Some(latency) = &self.latency_ms {
            writeln!(
                io.out,
                "latency p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms over {} answers",
                latency.p50, latency.p99, latency.max, latency.answers
            )?;
        }
        if self.unfinished > 0 {
            let text = format!("interrupted, not finished: {}", self.unfinished);
            writeln!(io.out, "{}", paint(color, Tone::Warning, text))?;
        }
        writeln!(io.out, "seed {}", self.seed)?;
        Ok(())
    }

    fn print_deliveries(&self, io: &mut Io<'_>) -> Result<(), Error> {
        let all = self.deliveries.len() <= LISTED;
        let worth = |line: &&Line| all || !line.verdict.is_fine();
        for line in self.deliveries.iter().filter(worth).take(LISTED) {
            line.print(io)?;
        }
        let listed = self.deliveries.iter().filter(worth).count();
        if listed > LISTED {
            writeln!(
                io.out,
                "and {} more like these, see --json",
                listed - LISTED
            )?;
        }
        Ok(())
    }
}

impl Line {
    fn print(&self, io: &mut Io<'_>) -> Result<(), Error> {
        let attempts = self.attempts.len();
        let (tone, verdict) = match self.verdict {
            Verdict::Delivered => (Tone::Good, format!("delivered at attempt {attempts}")),
            Verdict::Lost => (Tone::Bad, format!("lost after {attempts} attempts")),
            Verdict::Rejected => (Tone::Good, "rejected".to_owned()),
            Verdict::WronglyAccepted => (Tone::Bad, "wrongly accepted".to_owned()),
            Verdict::Unanswered => (Tone::Bad, "unanswered".to_owned()),
        };
        let replies: Vec<String> = self.attempts.iter().map(|a| describe(&a.reply)).collect();
        let (callback, kind) = (self.callback, self.kind.name());
        let verdict = paint(io.out_color, tone, verdict);
        writeln!(
            io.out,
            "#{callback} {kind}: {verdict}: {}",
            replies.join(", ")
        )?;
        Ok(())
    }
}

impl From<Delivery> for Line {
    fn from(delivery: Delivery) -> Self {
        let attempt = |attempt: Attempt| AttemptLine {
            sent_ms: milliseconds(attempt.sent),
            took_ms: milliseconds(attempt.ended.saturating_sub(attempt.sent)),
            reply: attempt.reply,
        };
        Self {
            callback: delivery.callback,
            kind: delivery.kind,
            verdict: delivery.verdict,
            attempts: delivery.attempts.into_iter().map(attempt).collect(),
        }
    }
}

fn describe(reply: &Reply) -> String {
    match reply {
        Reply::Answer { status, body } if body.is_empty() => status.to_string(),
        Reply::Answer { status, body } => format!("{status} {}", printable(body)),
        Reply::Dropped => "answer dropped".to_owned(),
        Reply::TimedOut => "no answer in time".to_owned(),
        Reply::Unreachable(why) => format!("no connection ({})", printable(why)),
        Reply::Broken(why) => format!("connection failed ({})", printable(why)),
    }
}

fn count(deliveries: &[Delivery]) -> Totals {
    let mut totals = Totals::default();
    for delivery in deliveries {
        let counter = match delivery.verdict {
            Verdict::Delivered => {
                let at = delivery.attempts.len().saturating_sub(1);
                if let Some(at) = totals.delivered_at.get_mut(at) {
                    *at += 1;
                }
                &mut totals.delivered
            }
            Verdict::Lost => &mut totals.lost,
            Verdict::Rejected => &mut totals.rejected,
            Verdict::WronglyAccepted => &mut totals.wrongly_accepted,
            Verdict::Unanswered => &mut totals.unanswered,
        };
        *counter += 1;
    }
    totals
}

/// Over all answers, except those to bodies that were slow on purpose.
fn latency(deliveries: &[Delivery]) -> Option<Latency> {
    let mut times: Vec<f64> = deliveries
        .iter()
        .filter(|delivery| !delivery.pace.is_slow())
        .flat_map(|delivery| &delivery.attempts)
        .filter(|attempt| matches!(attempt.reply, Reply::Answer { .. }))
        .map(|attempt| milliseconds(attempt.ended.saturating_sub(attempt.sent)))
        .collect();
    times.sort_by(f64::total_cmp);
    // The nearest rank: the smallest time that this share of all is not above.
    let percentile = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100);
        times.get(rank.saturating_sub(1)).copied()
    };
    Some(Latency {
        answers: times.len(),
        p50: percentile(50)?,
        p99: percentile(99)?,
        max: percentile(100)?,
    })
}

/// To the microsecond, so that JSON is not full of digits that mean nothing.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::send::Pace;

    const ASKED: u64 = 4;

    fn asked() -> Asked {
        Asked {
            url: "http://h/".to_owned(),
            seed: 7,
            speed: 1.0,
            count: ASKED,
        }
    }

    fn delivery(callback: u64, kind: Kind, verdict: Verdict, took_ms: &[u64]) -> Delivery {
        let attempt = |took: &u64| {
            let reply = Reply::Answer {
                status: 200,
                body: "1".to_owned(),
            };
            Attempt::new(Duration::ZERO, Duration::from_millis(*took), reply)
        };
        Delivery {
            callback,
            kind,
            pace: Pace::Whole,
            attempts: took_ms.iter().map(attempt).collect(),
            verdict,
        }
    }

    #[test]
    fn every_verdict_is_counted_and_a_bad_one_spoils_the_run() {
        let fine = vec![
            delivery(1, Kind::Callback, Verdict::Delivered, &[1, 2, 3]),
            delivery(0, Kind::Callback, Verdict::Delivered, &[1]),
            delivery(0, Kind::Duplicate, Verdict::Delivered, &[1]),
            delivery(0, Kind::Tampered, Verdict::Rejected, &[1]),
            delivery(2, Kind::Stale, Verdict::Rejected, &[1]),
            delivery(3, Kind::Unsigned, Verdict::Rejected, &[1]),
        ];
        let summary = Summary::new(asked(), false, fine.clone());
        assert!(summary.is_fine());
        let expected = Totals {
            delivered: 3,
            delivered_at: [2, 0, 1, 0, 0, 0],
            rejected: 3,
            ..Totals::default()
        };
        assert_eq!((summary.totals, summary.unfinished), (expected, 0));

        for (verdict, kind) in [
            (Verdict::Lost, Kind::Duplicate),
            (Verdict::WronglyAccepted, Kind::Tampered),
            (Verdict::Unanswered, Kind::Tampered),
        ] {
            let mut deliveries = fine.clone();
            deliveries.push(delivery(3, kind, verdict, &[1]));
            assert!(
                !Summary::new(asked(), false, deliveries).is_fine(),
                "{verdict:?}"
            );
        }
        let unfinished = Summary::new(asked(), true, fine[..5].to_vec());
        assert_eq!((unfinished.unfinished, unfinished.is_fine()), (1, false));
    }

    #[test]
    fn percentiles_are_of_answers_that_were_not_slowed_down() {
        let times: Vec<u64> = (1..=200).rev().collect();
        let mut deliveries = vec![delivery(0, Kind::Callback, Verdict::Delivered, &times)];
        let mut slow = delivery(1, Kind::Callback, Verdict::Delivered, &[9_999]);
        slow.pace = Pace::Slow;
        let mut dropped = delivery(2, Kind::Callback, Verdict::Lost, &[9_999]);
        dropped.attempts[0].reply = Reply::Dropped;
        deliveries.extend([slow, dropped]);
        let expected = Latency {
            answers: 200,
            p50: 100.0,
            p99: 198.0,
            max: 200.0,
        };
        assert_eq!(latency(&deliveries), Some(expected));
        assert_eq!(latency(&deliveries[1..]), None);
        let one = [delivery(0, Kind::Callback, Verdict::Delivered, &[5])];
        assert_eq!(latency(&one).unwrap().p50, 5.0);
    }
}
