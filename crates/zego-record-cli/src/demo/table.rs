//! The demonstration as a table that fits a terminal, or as JSON.

use serde::Serialize;

use super::scenario::Sender;
use super::stage::Outcome;
use crate::error::Error;
use crate::io::{Io, Tone, paint, printable, wrap};

/// Where a row begins, after its mark.
const INDENT: usize = 9;

#[derive(Serialize)]
struct Report<'a> {
    fine: bool,
    speed: f64,
    scenes: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    sender: &'static str,
    answers: Vec<Answer<'a>>,
    runs: usize,
    promise: &'a str,
    fine: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    status: u16,
    body: &'a str,
}

pub(super) fn print(
    outcomes: &[Outcome],
    speed: f64,
    json: bool,
    io: &mut Io<'_>,
) -> Result<(), Error> {
    let failed = outcomes.iter().filter(|outcome| !outcome.is_fine()).count();
    if json {
        let scenes = outcomes.iter().map(line).collect();
        return io.print_json(&Report {
            fine: failed == 0,
            speed,
            scenes,
        });
    }
    let rows: Vec<[String; 3]> = outcomes.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let (mut sender, mut promise) = (None, "");
    for (outcome, row) in outcomes.iter().zip(&rows) {
        let scene = &outcome.scene;
        if sender.replace(scene.sender) != Some(scene.sender) {
            let title = match scene.sender {
                Sender::Zegocloud => "Sent by ZEGOCLOUD",
                Sender::Stranger => "Sent by somebody without the secret",
            };
            writeln!(io.out, "{}", paint(io.out_color, Tone::Strong, title))?;
            promise = "";
        }
        if promise != scene.promise {
            promise = scene.promise;
            writeln!(io.out, "{}", wrap(&format!("  {promise}"), io.width, 4))?;
        }
        print_row(outcome, row, widths, io)?;
    }
    let retries = outcomes
        .iter()
        .map(|outcome| outcome.answers.len() - 1)
        .sum::<usize>();
    let runs = outcomes.iter().map(|outcome| outcome.runs).sum::<usize>();
    let text = format!(
        "{} requests and {retries} retries ({speed} times as fast as ZEGOCLOUD's), {runs} runs of the handler, {failed} not as documented",
        outcomes.len(),
    );
    writeln!(io.out, "\n{}", wrap(&text, io.width, 0))?;
    Ok(())
}

/// In columns if they fit, else one after the other.
fn print_row(
    outcome: &Outcome,
    [sent, answered, handled]: &[String; 3],
    [a, b, c]: [usize; 3],
    io: &mut Io<'_>,
) -> Result<(), Error> {
    let mark = if outcome.is_fine() {
        paint(io.out_color, Tone::Good, "ok  ")
    } else {
        paint(io.out_color, Tone::Bad, "FAIL")
    };
    if INDENT + a + b + c + 4 <= io.width {
        writeln!(io.out, "    {mark} {sent:<a$}  {answered:<b$}  {handled}")?;
    } else {
        let text = format!("    {mark} {sent}: {answered}; {handled}");
        writeln!(io.out, "{}", wrap(&text, io.width, INDENT))?;
    }
    if !outcome.is_fine() {
        let expected = outcome.scene.expected.iter();
        let expected: Vec<_> = expected
            .map(|verdict| format!("{} {verdict}", verdict.status()))
            .collect();
        let text = format!("         expected: {}", expected.join(", "));
        writeln!(io.out, "{}", wrap(&text, io.width, INDENT))?;
    }
    Ok(())
}

fn row(outcome: &Outcome) -> [String; 3] {
    let answers = outcome.answers.chunk_by(|one, other| one == other);
    let answers = answers.filter_map(|alike| {
        let (status, body) = alike.first()?;
        let times = match alike.len() {
            1 => String::new(),
            times => format!(" x{times}"),
        };
        Some(format!("{status} {}{times}", printable(body)))
    });
    let handled = match outcome.runs {
        0 => "not run".to_owned(),
        1 => "1 run".to_owned(),
        runs => format!("{runs} runs"),
    };
    let answers = answers.collect::<Vec<_>>().join(", ");
    [outcome.scene.name.clone(), answers, handled]
}

fn line(outcome: &Outcome) -> Line<'_> {
    let answers = outcome
        .answers
        .iter()
        .map(|(status, body)| Answer {
            status: *status,
            body,
        })
        .collect();
    Line {
        name: &outcome.scene.name,
        sender: outcome.scene.sender.name(),
        answers,
        runs: outcome.runs,
        promise: outcome.scene.promise,
        fine: outcome.is_fine(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::perform;
    use crate::send::Schedule;

    #[tokio::test]
    async fn every_line_fits_60_columns() {
        let outcomes = perform(Schedule::new(1_000.0).unwrap()).await.unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut io = Io {
            input: &mut std::io::empty(),
            out: &mut out,
            err: &mut err,
            out_color: false,
            err_color: false,
            progress: false,
            input_is_terminal: false,
            width: 60,
        };
        print(&outcomes, 1_000.0, false, &mut io).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().count() > outcomes.len(), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 60, "{line:?}");
        }
    }
}
