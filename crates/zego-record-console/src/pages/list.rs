//! The list of callbacks, with its filters.

use std::sync::Arc;
use std::time::SystemTime;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use zego_record_inbox::{Entry, EntryState};

use super::actions::{may_discard, may_redeliver};
use super::{Layout, page};
use crate::console::Shared;
use crate::guard::Operator;
use crate::problem::Problem;
use crate::query::{Pairs, Selection};
use crate::text::Visible;
use crate::time::When;

const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "list.html")]
struct List {
    layout: Layout,
    states: &'static [EntryState],
    selection: Selection,
    query: String,
    rows: Vec<Row>,
    is_first: bool,
    next: Option<String>,
    may_redeliver: bool,
    may_discard: bool,
}

/// One callback.
struct Row {
    key: String,
    short_key: String,
    state: EntryState,
    stream: Visible,
    appid: Visible,
    event_id: Visible,
    received: When,
    due: Option<When>,
    attempts: u32,
    last_error: Option<Visible>,
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let pairs = Pairs::read(query.as_deref().unwrap_or_default())?;
    let selection = Selection::read(&pairs)?;
    let before = pairs.number("before")?;
    let now = SystemTime::now();
    // One more, to know whether there are others.
    let mut entries = shared
        .inbox
        .list(&selection.filter()?, before, PAGE + 1)
        .await?;
    let has_more = entries.len() > PAGE as usize;
    entries.truncate(PAGE as usize);
    let query = selection.query();
    let last = entries.last().filter(|_| has_more).map(|entry| entry.id);
    let next = last.map(|id| match &*query {
        "" => format!("before={id}"),
        query => format!("{query}&before={id}"),
    });
    Ok(page(&List {
        layout: Layout::new(&shared, &operator, "callbacks"),
        states: EntryState::ALL,
        may_redeliver: !shared.read_only && selection.state.is_some_and(may_redeliver),
        may_discard: !shared.read_only && selection.state.is_some_and(may_discard),
        selection,
        query,
        rows: entries.iter().map(|entry| Row::new(entry, now)).collect(),
        is_first: before.is_none(),
        next,
    }))
}

impl Row {
    fn new(entry: &Entry, now: SystemTime) -> Self {
        let key = entry.key.to_string();
        let is_waiting = entry.state == EntryState::Waiting;
        Self {
            short_key: key[..12].to_owned(),
            key,
            state: entry.state,
            stream: Visible::new(&entry.stream_alias, 96),
            appid: Visible::new(&entry.appid, 32),
            event_id: Visible::new(&entry.event_id, 128),
            received: When::new(entry.received_at, now),
            due: entry
                .due_at
                .filter(|_| is_waiting)
                .map(|due| When::new(due, now)),
            attempts: entry.attempts,
            last_error: entry
                .last_error
                .as_deref()
                .map(|error| Visible::new(error, 200)),
        }
    }
}
