//! Commands that only look.

use std::time::SystemTime;

use serde::Serialize;
use zego_record_inbox::{Attempt, Details, Entry, EntryState};

use super::args::{ListArgs, SelectArgs};
use super::{Desk, hex_of};
use crate::cli::Status;
use crate::error::Error;
use crate::io::{Io, printable, wrap};
use crate::record::{Record, Texts, fields, rfc3339, writable};

const PAGE: u32 = 500;

/// A callback in a list.
#[derive(Serialize)]
struct Line<'a> {
    key: String,
    state: &'static str,
    event_id: &'a str,
    appid: &'a str,
    stream_alias: &'a str,
    received_at: String,
    attempts: u32,
    due_at: Option<String>,
    ended_at: Option<String>,
    last_error: Option<&'a str>,
}

/// A callback with everything.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    /// Null if what is stored cannot be read.
    data: Option<Record<'a>>,
    fields: Option<std::collections::BTreeMap<String, Texts>>,
    history: Vec<Run<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    run: u32,
    started_at: String,
    ended_at: Option<String>,
    outcome: &'static str,
    status: Option<u16>,
    note: &'a str,
}

impl Desk {
    pub(super) async fn list(&self, args: &ListArgs, io: &mut Io<'_>) -> Result<Status, Error> {
        let filter = args.select.filter();
        let mut before = None;
        let mut left = args.limit;
        if !self.json {
            writeln!(
                io.out,
                "{:<8} {:<9} {:<20} {:>5} STREAM",
                "KEY", "STATE", "RECEIVED (UTC)", "TRIES"
            )?;
        }
        while left > 0 {
            let page = self
                .ask(|| self.inbox.list(&filter, before, left.min(PAGE)))
                .await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            left = left.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
            for entry in &page {
                if self.json {
                    io.print_json(&line(entry))?;
                } else {
                    print_row(entry, io)?;
                }
            }
        }
        Ok(Status::Fine)
    }

    pub(super) async fn export(&self, args: &SelectArgs, io: &mut Io<'_>) -> Result<Status, Error> {
        let filter = args.filter();
        let mut before = None;
        loop {
            let page = self.ask(|| self.inbox.list(&filter, before, PAGE)).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            for entry in &page {
                // One that was erased or pruned meanwhile is gone.
                if let Some(details) = self.ask(|| self.inbox.get(&entry.key)).await? {
                    print_whole(&details, io)?;
                }
            }
        }
        Ok(Status::Fine)
    }

    pub(super) async fn show(&self, key: &str, io: &mut Io<'_>) -> Result<Status, Error> {
        let key = self.find(key).await?.key;
        let details = self.ask(|| self.inbox.get(&key)).await?;
        let details = details.ok_or_else(|| Error::new("it was removed just now"))?;
        if self.json {
            print_whole(&details, io)?;
        } else {
            print_details(&details, io)?;
        }
        Ok(Status::Fine)
    }

    pub(super) async fn stats(&self, io: &mut Io<'_>) -> Result<Status, Error> {
        let stats = self.ask(|| self.inbox.stats()).await?;
        let oldest = stats.oldest.map(|oldest| oldest.as_secs());
        if self.json {
            io.print_json(&serde_json::json!({
                "waiting": stats.waiting,
                "running": stats.running,
                "done": stats.done,
                "dead": stats.dead,
                "discarded": stats.discarded,
                "oldest_seconds": oldest,
                "paused": stats.paused,
            }))?;
            return Ok(Status::Fine);
        }
        for state in EntryState::ALL {
            writeln!(io.out, "{:<10} {}", state.as_str(), stats.of(*state))?;
        }
        if let Some(oldest) = stats.oldest {
            let oldest =
                humantime::format_duration(std::time::Duration::from_secs(oldest.as_secs()));
            writeln!(
                io.out,
                "the oldest that is not over was received {oldest} ago"
            )?;
        }
        if stats.paused {
            writeln!(io.out, "paused: `zego-record inbox resume` forwards again")?;
        }
        Ok(Status::Fine)
    }
}

fn line(entry: &Entry) -> Line<'_> {
    Line {
        key: hex_of(&entry.key),
        state: entry.state.as_str(),
        event_id: &entry.event_id,
        appid: &entry.appid,
        stream_alias: &entry.stream_alias,
        received_at: rfc3339(entry.received_at),
        attempts: entry.attempts,
        due_at: entry.due_at.map(rfc3339),
        ended_at: entry.ended_at.map(rfc3339),
        last_error: entry.last_error.as_deref(),
    }
}

fn run(attempt: &Attempt) -> Run<'_> {
    Run {
        run: attempt.epoch,
        started_at: rfc3339(attempt.started_at),
        ended_at: attempt.ended_at.map(rfc3339),
        outcome: attempt.outcome.as_str(),
        status: attempt.note.status,
        note: &attempt.note.text,
    }
}

fn print_whole(details: &Details, io: &mut Io<'_>) -> Result<(), Error> {
    let callback = details.callback.restore().ok();
    let attempts = details.entry.attempts;
    io.print_json(&Whole {
        line: line(&details.entry),
        data: callback
            .as_ref()
            .map(|callback| Record::new(callback, attempts, false)),
        fields: callback.as_ref().map(fields),
        history: details.attempts.iter().map(run).collect(),
    })
}

fn print_row(entry: &Entry, io: &mut Io<'_>) -> Result<(), Error> {
    let received = seconds(entry.received_at);
    let key = &hex_of(&entry.key)[..8];
    let stream: String = printable(&entry.stream_alias);
    let room = io.width.saturating_sub(8 + 9 + 20 + 5 + 4).max(8);
    let stream: String = if stream.chars().count() > room {
        stream.chars().take(room - 2).chain("..".chars()).collect()
    } else {
        stream
    };
    writeln!(
        io.out,
        "{key} {:<9} {received} {:>5} {stream}",
        entry.state.as_str(),
        entry.attempts
    )?;
    Ok(())
}

fn print_details(details: &Details, io: &mut Io<'_>) -> Result<(), Error> {
    let entry = &details.entry;
    let next = match (entry.state, entry.due_at) {
        (EntryState::Waiting, Some(due)) => format!("waiting, due at {}", seconds(due)),
        (EntryState::Running, Some(ends)) => {
            format!("running, its lease ends at {}", seconds(ends))
        }
        (state, _) => match entry.ended_at {
            Some(ended) => format!("{state} since {}", seconds(ended)),
            None => state.to_string(),
        },
    };
    let mut lines = vec![
        ("key", hex_of(&entry.key)),
        ("state", next),
        ("received", seconds(entry.received_at)),
        ("file", printable(&entry.event_id)),
    ];
    match details.callback.restore() {
        Ok(callback) => {
            for (name, texts) in fields(&callback) {
                let texts = match texts {
                    Texts::One(text) => vec![text],
                    Texts::Several(texts) => texts,
                };
                for text in texts {
                    lines.push(("", format!("{}={}", printable(&name), printable(&text))));
                }
            }
        }
        Err(error) => lines.push(("content", format!("cannot be read: {error}"))),
    }
    for (name, text) in lines {
        let line = format!("{name:<9} {text}");
        writeln!(io.out, "{}", wrap(&line, io.width, 10))?;
    }
    for attempt in &details.attempts {
        let status = attempt.note.status.map(|status| format!(" {status}"));
        let took = attempt
            .ended_at
            .and_then(|ended| ended.duration_since(attempt.started_at).ok());
        let took = took.map(|took| format!(" after {:.1} s", took.as_secs_f64()));
        let line = format!(
            "run {:<5} {} {}{}{} {}",
            attempt.epoch,
            seconds(attempt.started_at),
            attempt.outcome.as_str(),
            status.unwrap_or_default(),
            took.unwrap_or_default(),
            printable(&attempt.note.text)
        );
        writeln!(io.out, "{}", wrap(line.trim_end(), io.width, 10))?;
    }
    Ok(())
}

/// UTC, to the second.
fn seconds(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(writable(time)).to_string()
}
