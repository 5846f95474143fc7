//! The export: one line of JSON for each callback, page by page as the client reads.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde_json::json;
use zego_record_inbox::{Details, Entry, Filter};
use zego_record_receiver::StoreError;

use crate::action::{Action, ActionReport};
use crate::console::Shared;
use crate::guard::Operator;
use crate::inbox::Inbox;
use crate::problem::Problem;
use crate::query::{Pairs, Selection};

const PAGE: u32 = 100;

pub(super) async fn export(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let selection = Selection::read(&Pairs::read(query.as_deref().unwrap_or_default())?)?;
    let filter = selection.filter()?;
    // The first page is read before the answer begins, so that an inbox that is away is a 503.
    let first = shared.inbox.list(&filter, None, PAGE).await?;
    shared.actions.report(&ActionReport {
        who: &operator.who,
        action: Action::Export,
        filter: &selection.query(),
        changed: Some(0),
    });
    let lines = Lines::new(Cursor::new(shared.inbox.clone(), filter, first));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"callbacks.jsonl\"",
        ),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// Where the export stands.
struct Cursor {
    inbox: Inbox,
    filter: Filter,
    page: VecDeque<Entry>,
    /// The last callback that was read; `None` if the page is the last one.
    last: Option<i64>,
}

impl Cursor {
    fn new(inbox: Inbox, filter: Filter, first: Vec<Entry>) -> Self {
        let mut cursor = Self {
            inbox,
            filter,
            page: VecDeque::new(),
            last: None,
        };
        cursor.take(first);
        cursor
    }

    fn take(&mut self, page: Vec<Entry>) {
        let is_full = page.len() >= PAGE as usize;
        self.last = page.last().map(|entry| entry.id).filter(|_| is_full);
        self.page = page.into();
    }

    /// The next line, and where to go on; `None` at the end.
    async fn next(mut self) -> Result<Option<(String, Self)>, StoreError> {
        loop {
            while let Some(entry) = self.page.pop_front() {
                // What was pruned meanwhile is left out.
                if let Some(details) = self.inbox.get(&entry.key).await? {
                    return Ok(Some((line(&details), self)));
                }
            }
            let Some(last) = self.last else {
                return Ok(None);
            };
            let page = self.inbox.list(&self.filter, Some(last), PAGE).await?;
            self.take(page);
        }
    }
}

type NextLine = Pin<Box<dyn Future<Output = Result<Option<(String, Cursor)>, StoreError>> + Send>>;

/// The lines as a body. An error cuts it off, so that no client takes a part for the whole.
struct Lines(Option<NextLine>);

impl Lines {
    fn new(cursor: Cursor) -> Self {
        Self(Some(Box::pin(cursor.next())))
    }
}

impl Stream for Lines {
    type Item = io::Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(next) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let line = match ready!(next.as_mut().poll(context)) {
            Ok(Some((line, cursor))) => {
                self.0 = Some(Box::pin(cursor.next()));
                Some(Ok(line))
            }
            Ok(None) => {
                self.0 = None;
                None
            }
            Err(error) => {
                self.0 = None;
                Some(Err(io::Error::other(error)))
            }
        };
        Poll::Ready(line)
    }
}

fn line(details: &Details) -> String {
    let entry = &details.entry;
    let attempts = details.attempts.iter().map(|attempt| {
        json!({
            "run": attempt.epoch,
            "started_at": seconds(attempt.started_at),
            "ended_at": attempt.ended_at.map(seconds),
            "outcome": attempt.outcome.as_str(),
            "status": attempt.note.status,
            "note": attempt.note.text,
        })
    });
    let value = json!({
        "delivery_key": entry.key,
        "state": entry.state.as_str(),
        "received_at": seconds(entry.received_at),
        "attempts_counted": entry.attempts,
        "due_at": entry.due_at.map(seconds),
        "ended_at": entry.ended_at.map(seconds),
        "last_error": entry.last_error,
        // Null if what is stored cannot be read.
        "callback": details.callback.restore().ok(),
        "attempts": attempts.collect::<Vec<_>>(),
    });
    format!("{value}\n")
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
