//! What a run has come to: counted from its deliveries, for people and for machines.

use std::time::Duration;

use serde::Serialize;

use super::schedule::MAX_ATTEMPTS;
use super::sender::Delivery;
use super::verdict::{Attempt, Kind, Reply, Verdict};
use crate::error::Error;
use crate::io::{Io, Tone, paint, printable, wrap};

/// Up to this many deliveries are listed for people; beyond it, only those that failed.
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
    #[serde(skip)]
    rates: Option<(f64, f64)>,
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
    pub(super) rate: Option<f64>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Totals {
    delivered: u64,
    delivered_at: [u64; MAX_ATTEMPTS],
    lost: u64,
    rejected: u64,
    wrongly_accepted: u64,
    unanswered: u64,
    unproven: u64,
    /// Requests beyond the first for a callback that was delivered.
    repeats: u64,
    /// Deliveries whose 2xx had another body than `1`.
    body_not_1: u64,
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
        let finished = deliveries.iter().filter(|delivery| {
            let own = !matches!(
                delivery.kind,
                Kind::Control
                    | Kind::Duplicate
                    | Kind::Tampered
                    | Kind::EmptySignature
                    | Kind::NullSignature
            );
            own && delivery.verdict != Verdict::Unfinished
        });
        let finished = finished.count() as u64;
        let unfinished = asked.count.saturating_sub(finished);
        Self {
            url: asked.url,
            seed: asked.seed,
            speed: asked.speed,
            count: asked.count,
            interrupted,
            unfinished,
            rates: asked
                .rate
                .and_then(|rate| Some((rate, achieved_rate(&deliveries)?))),
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
        let text = format!(
            "{}{at}, {}",
            numbers(Tone::Good, totals.delivered, "delivered"),
            numbers(Tone::Bad, totals.lost, "lost"),
        );
        writeln!(io.out, "{}", wrap(&text, io.width, 2))?;
        let text = format!(
            "{} as it had to be, {}, {}",
            numbers(Tone::Good, totals.rejected, "rejected"),
            numbers(Tone::Bad, totals.wrongly_accepted, "wrongly accepted"),
            numbers(
                Tone::Bad,
                totals.unanswered + totals.unproven,
                "without proof"
            ),
        );
        writeln!(io.out, "{}", wrap(&text, io.width, 2))?;
        self.print_notes(io)?;
        if let Some(latency) = &self.latency_ms {
            let text = format!(
                "latency p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms over {} answers",
                latency.p50, latency.p99, latency.max, latency.answers
            );
            writeln!(io.out, "{}", wrap(&text, io.width, 2))?;
        }
        if self.unfinished > 0 {
            let why = if self.interrupted {
                "interrupted, "
            } else {
                ""
            };
            let text = format!("{why}not finished: {}", self.unfinished);
            writeln!(io.out, "{}", paint(color, Tone::Warning, text))?;
        }
        writeln!(io.out, "seed {}", self.seed)?;
        Ok(())
    }

    fn print_notes(&self, io: &mut Io<'_>) -> Result<(), Error> {
        let totals = &self.totals;
        let mut notes = Vec::new();
        let control = self
            .deliveries
            .iter()
            .find(|line| line.kind == Kind::Control);
        if control.is_some_and(|line| line.verdict == Verdict::Lost) {
            notes.push("the genuine callback that goes first was not delivered, so that no rejection would prove anything: nothing else was sent".to_owned());
        }
        if totals.unproven > 0 {
            notes.push("only 400, 401, 403 and 422 prove a rejection: add what this receiver rejects with as --rejected-status".to_owned());
        }
        if totals.repeats > 0 {
            let callbacks = self.callbacks_delivered();
            let (callbacks, repeats) = (thousands(callbacks), thousands(totals.repeats));
            notes.push(format!("{callbacks} callbacks, {repeats} repeats: your handler should have run {callbacks} times. How often it did cannot be seen from outside"));
        }
        if totals.body_not_1 > 0 {
            notes.push(format!("{} answered with a 2xx whose body is not 1: today's ZEGOCLOUD takes any 2xx, its older documentation wants the body 1", thousands(totals.body_not_1)));
        }
        if let Some((asked, achieved)) = self
            .rates
            .filter(|(asked, achieved)| achieved < &(asked * 0.9))
        {
            notes.push(format!("{achieved:.1} callbacks a second instead of the {asked} of --rate: raise --concurrency"));
        }
        for note in notes {
            let note = format!("{}: {note}", paint(io.out_color, Tone::Warning, "note"));
            writeln!(io.out, "{}", wrap(&note, io.width, 2))?;
        }
        Ok(())
    }

    fn callbacks_delivered(&self) -> u64 {
        let delivered = self
            .deliveries
            .iter()
            .filter(|line| line.kind == Kind::Callback && line.verdict == Verdict::Delivered);
        delivered.count() as u64
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
            Verdict::Unproven => (Tone::Bad, "not proven to be rejected".to_owned()),
            Verdict::Unfinished => (Tone::Warning, "unfinished".to_owned()),
        };
        let replies: Vec<String> = self
            .attempts
            .chunk_by(|one, other| one.reply == other.reply)
            .map(|alike| match alike {
                [one] => describe(&one.reply),
                [one, ..] => format!("{} x{}", describe(&one.reply), alike.len()),
                [] => String::new(),
            })
            .collect();
        let replies = if replies.is_empty() {
            vec!["no answer yet".to_owned()]
        } else {
            replies
        };
        let (callback, kind) = (self.callback, self.kind.name());
        let verdict = paint(io.out_color, tone, verdict);
        let text = format!("#{callback} {kind}: {verdict}: {}", replies.join(", "));
        writeln!(io.out, "{}", wrap(&text, io.width, 4))?;
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

/// A reply in a few words.
pub(crate) fn describe(reply: &Reply) -> String {
    match reply {
        Reply::Answer {
            status,
            location: Some(location),
            ..
        } => format!("{status} to {}", printable(location)),
        Reply::Answer { status, body, .. } if body.is_empty() => status.to_string(),
        Reply::Answer { status, body, .. } => format!("{status} {}", printable(body)),
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
            Verdict::Unproven => &mut totals.unproven,
            Verdict::Unfinished => continue,
        };
        *counter += 1;
        if delivery.verdict == Verdict::Delivered {
            let last = delivery.attempts.last().map(|attempt| &attempt.reply);
            let is_1 = matches!(last, Some(Reply::Answer { status: 200, body, .. }) if body == "1");
            totals.body_not_1 += u64::from(!is_1);
            let extra = delivery.attempts.len() - usize::from(delivery.kind != Kind::Duplicate);
            if delivery.kind != Kind::Control {
                totals.repeats += extra as u64;
            }
        }
    }
    totals
}

/// How many callbacks were begun in a second; `None` if there are too few to tell.
fn achieved_rate(deliveries: &[Delivery]) -> Option<f64> {
    let first = deliveries
        .iter()
        .filter(|d| d.kind != Kind::Control && d.kind != Kind::Duplicate);
    let mut begun: Vec<Duration> = first
        .filter_map(|d| Some(d.attempts.first()?.sent))
        .collect();
    begun.sort_unstable();
    let (first, last) = (begun.first()?, begun.last()?);
    let seconds = last.saturating_sub(*first).as_secs_f64();
    (seconds > 0.0).then(|| (begun.len() - 1) as f64 / seconds)
}

/// Digits in groups of three.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
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
            rate: None,
        }
    }

    fn delivery(callback: u64, kind: Kind, verdict: Verdict, took_ms: &[u64]) -> Delivery {
        let attempt = |took: &u64| {
            let reply = Reply::answer(200, "1");
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
            repeats: 3,
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
