//! The demonstration as a table, or as JSON.

use serde::Serialize;

use super::scenario::Sender;
use super::stage::Outcome;
use crate::error::Error;
use crate::io::{Io, Tone, paint, printable};

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
    let rows: Vec<[String; 4]> = outcomes.iter().map(row).collect();
    let heads = ["sent", "answered", "handled", "which shows that"];
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heads[column].len()]).max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let cells = |cells: [&str; 4]| {
        let [a, b, c] = widths;
        format!(
            "{:<a$}  {:<b$}  {:<c$}  {}",
            cells[0], cells[1], cells[2], cells[3]
        )
    };
    writeln!(
        io.out,
        "     {}",
        paint(io.out_color, Tone::Strong, cells(heads))
    )?;
    for (outcome, row) in outcomes.iter().zip(&rows) {
        let mark = if outcome.is_fine() {
            paint(io.out_color, Tone::Good, "ok  ")
        } else {
            paint(io.out_color, Tone::Bad, "FAIL")
        };
        writeln!(
            io.out,
            "{mark} {}",
            cells(row.each_ref().map(String::as_str))
        )?;
        if !outcome.is_fine() {
            let due: Vec<_> = outcome
                .scene
                .due
                .iter()
                .map(|due| format!("{} {due}", due.status()))
                .collect();
            writeln!(io.out, "     due: {}", due.join(", "))?;
        }
    }
    let retries = outcomes
        .iter()
        .map(|outcome| outcome.answers.len() - 1)
        .sum::<usize>();
    let runs = outcomes.iter().map(|outcome| outcome.runs).sum::<usize>();
    writeln!(
        io.out,
        "\n{} requests and {retries} retries ({speed} times as fast as ZEGOCLOUD's), {runs} runs of the handler, {failed} not as documented",
        outcomes.len(),
    )?;
    Ok(())
}

fn row(outcome: &Outcome) -> [String; 4] {
    let sent = match outcome.scene.sender {
        Sender::Zegocloud => outcome.scene.name.clone(),
        Sender::Stranger => format!("a stranger: {}", outcome.scene.name),
    };
    let answers: Vec<_> = outcome
        .answers
        .iter()
        .map(|(status, body)| format!("{status} {}", printable(body)))
        .collect();
    let handled = match outcome.runs {
        0 => "no".to_owned(),
        1 => "once".to_owned(),
        runs => format!("{runs} runs"),
    };
    [
        sent,
        answers.join(", "),
        handled,
        outcome.scene.promise.to_owned(),
    ]
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
