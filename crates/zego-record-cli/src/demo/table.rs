//! The demonstration as a table that fits a terminal, or as JSON.

use std::time::Duration;

use serde::Serialize;
use zego_record_inbox::EntryState;

use super::outage::{Fate, InboxScene, Outage};
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
    inbox: Inbox<'a>,
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
struct Inbox<'a> {
    scenes: Vec<InboxLine<'a>>,
    accepted: u64,
    arrived: usize,
}

#[derive(Serialize)]
struct InboxLine<'a> {
    name: &'a str,
    answer: Option<Answer<'a>>,
    runs: u32,
    state: Option<&'static str>,
    seconds: u64,
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
    outage: &Outage,
    speed: f64,
    json: bool,
    io: &mut Io<'_>,
) -> Result<(), Error> {
    if json {
        return io.print_json(&Report {
            fine: outcomes.iter().all(Outcome::is_fine) && outage.is_fine(),
            speed,
            scenes: outcomes.iter().map(line).collect(),
            inbox: Inbox {
                scenes: outage.scenes.iter().map(inbox_line).collect(),
                accepted: outage.accepted,
                arrived: outage.arrived,
            },
        });
    }
    let rows: Vec<Row<'_>> = outcomes.iter().map(row).collect();
    print_rows(&rows, io)?;
    let inbox_rows: Vec<Row<'_>> = outage.scenes.iter().map(inbox_row).collect();
    print_rows(&inbox_rows, io)?;
    let all = rows.iter().chain(&inbox_rows);
    let failed = all.filter(|row| !row.is_fine).count() + usize::from(!outage.has_arrived());

    let text = format!(
        "{} callbacks were answered 1 and stored, and the app has {}, each once",
        outage.accepted, outage.arrived
    );
    writeln!(io.out, "  {}", wrap(&text, io.width.saturating_sub(2), 2))?;
    let retries = outcomes
        .iter()
        .map(|outcome| outcome.answers.len() - 1)
        .sum::<usize>();
    let runs = outcomes.iter().map(|outcome| outcome.runs).sum::<usize>();
    let inbox_runs = outage.scenes.iter().map(|scene| scene.fate.runs);
    let text = format!(
        "{} requests and {retries} retries ({speed} times as fast as ZEGOCLOUD's), {} runs of the handler, {failed} not as documented",
        outcomes.len() + outage.requests(),
        runs + inbox_runs.sum::<u32>() as usize,
    );
    writeln!(io.out, "\n{}", wrap(&text, io.width, 0))?;
    Ok(())
}

/// One line of the table, under a title and the promise that it shows.
struct Row<'a> {
    title: &'static str,
    promise: &'a str,
    cells: [String; 3],
    is_fine: bool,
    expected: String,
}

/// In columns of one width. A title and a promise are not repeated.
fn print_rows(rows: &[Row<'_>], io: &mut Io<'_>) -> Result<(), Error> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row.cells[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let (mut title, mut promise) = ("", "");
    for row in rows {
        if title != row.title {
            (title, promise) = (row.title, "");
            writeln!(io.out, "{}", paint(io.out_color, Tone::Strong, title))?;
        }
        if promise != row.promise {
            promise = row.promise;
            writeln!(io.out, "{}", wrap(&format!("  {promise}"), io.width, 4))?;
        }
        print_row(row, widths, io)?;
    }
    Ok(())
}

/// In columns if they fit, else one after the other.
fn print_row(row: &Row<'_>, [a, b, c]: [usize; 3], io: &mut Io<'_>) -> Result<(), Error> {
    let [sent, answered, handled] = &row.cells;
    let mark = if row.is_fine {
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
    if !row.is_fine {
        let text = format!("         expected: {}", row.expected);
        writeln!(io.out, "{}", wrap(&text, io.width, INDENT))?;
    }
    Ok(())
}

fn row(outcome: &Outcome) -> Row<'_> {
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
    let scene = &outcome.scene;
    let expected = scene.expected.iter();
    let expected = expected.map(|verdict| format!("{} {verdict}", verdict.status()));
    Row {
        title: match scene.sender {
            Sender::Zegocloud => "Sent by ZEGOCLOUD",
            Sender::Stranger => "Sent by somebody without the secret",
        },
        promise: scene.promise,
        cells: [
            scene.name.clone(),
            answers.collect::<Vec<_>>().join(", "),
            handled,
        ],
        is_fine: outcome.is_fine(),
        expected: expected.collect::<Vec<_>>().join(", "),
    }
}

fn inbox_row(scene: &InboxScene) -> Row<'_> {
    let [answer, became] = fate_cells(&scene.expected);
    let expected = format!("{answer}; {became}");
    let [answer, became] = fate_cells(&scene.fate);
    Row {
        title: "Sent by ZEGOCLOUD to an inbox, whose clock is moved on",
        promise: scene.promise,
        cells: [scene.name.to_owned(), answer, became],
        is_fine: scene.is_fine(),
        expected,
    }
}

fn fate_cells(fate: &Fate) -> [String; 2] {
    let answer = fate.answer.as_ref().map_or_else(
        || "-".to_owned(),
        |(status, body)| format!("{status} {}", printable(body)),
    );
    let runs = fate.runs;
    let became = match fate.state {
        None => "known already".to_owned(),
        Some(state) => format!("{state} at run {runs}, after {}", span(fate.after)),
    };
    [answer, became]
}

/// In its two largest units.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

fn line(outcome: &Outcome) -> Line<'_> {
    let answers = outcome.answers.iter().map(json_answer).collect();
    Line {
        name: &outcome.scene.name,
        sender: outcome.scene.sender.name(),
        answers,
        runs: outcome.runs,
        promise: outcome.scene.promise,
        fine: outcome.is_fine(),
    }
}

fn inbox_line(scene: &InboxScene) -> InboxLine<'_> {
    InboxLine {
        name: scene.name,
        answer: scene.fate.answer.as_ref().map(json_answer),
        runs: scene.fate.runs,
        state: scene.fate.state.map(EntryState::as_str),
        seconds: scene.fate.after.as_secs(),
        promise: scene.promise,
        fine: scene.is_fine(),
    }
}

fn json_answer((status, body): &(u16, String)) -> Answer<'_> {
    Answer {
        status: *status,
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{perform, perform_outage};
    use crate::send::Schedule;

    #[tokio::test]
    async fn every_line_fits_60_columns() {
        let secret = "0123456789abcdef0123456789abcdef";
        let schedule = Schedule::new(1_000.0).unwrap();
        let outcomes = perform(secret, schedule).await.unwrap();
        let outage = perform_outage(secret).await.unwrap();
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
        print(&outcomes, &outage, 1_000.0, false, &mut io).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().count() > outcomes.len(), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 60, "{line:?}");
        }
    }
}
