//! One callback: its fields, its attempts, and what happens next.

use std::sync::Arc;
use std::time::SystemTime;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use zego_record_core::{DeliveryKey, RecordCallback, UnixSeconds};
use zego_record_inbox::{Attempt, AttemptOutcome, Details, Entry, EntryState};

use super::actions::{may_discard, may_redeliver};
use super::{Layout, page, thousands};
use crate::console::Shared;
use crate::guard::Operator;
use crate::problem::Problem;
use crate::query::Selection;
use crate::text::Visible;
use crate::time::{Span, When};

/// How much of a field is shown, and how many fields of a stranger's choice.
const MAX_VALUE: usize = 4_096;
const MAX_OTHERS: usize = 100;

#[derive(Template)]
#[template(path = "callback.html")]
struct Page {
    layout: Layout,
    key: String,
    short_key: String,
    state: EntryState,
    stream: Visible,
    received: When,
    attempts_counted: u32,
    last_error: Option<Visible>,
    next: Next,
    attempts: Vec<Row>,
    fields: Vec<Field>,
    derived: Vec<Field>,
    more_fields: usize,
    /// Why the fields cannot be read.
    damage: Option<String>,
    query: String,
    may_redeliver: bool,
    may_discard: bool,
}

/// What happens next, and when.
struct Next {
    text: &'static str,
    when: Option<When>,
}

/// One run of the handler.
struct Row {
    number: u32,
    outcome: AttemptOutcome,
    status: Option<u16>,
    started: When,
    took: Option<Span>,
    note: Option<Visible>,
}

struct Field {
    name: Visible,
    value: Visible,
    link: Option<String>,
    when: Option<When>,
}

pub(super) async fn callback(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    Path(key): Path<String>,
) -> Result<Response, Problem> {
    let key = find(&shared, &key.to_ascii_lowercase()).await?;
    let gone =
        || Problem::not_found("The inbox has no such callback. It may have been pruned or erased.");
    let details = shared.inbox.get(&key).await?.ok_or_else(gone)?;
    // It matters to what happens next, and to nothing else.
    let paused = details.entry.state == EntryState::Waiting && shared.inbox.stats().await?.paused;
    Ok(page(&Page::new(&shared, &operator, &details, paused)))
}

/// The key, or the only one that begins like this.
async fn find(shared: &Shared, digits: &str) -> Result<DeliveryKey, Problem> {
    let bytes = hex::decode(digits).unwrap_or_default();
    if let Ok(bytes) = <[u8; 32]>::try_from(bytes) {
        return Ok(DeliveryKey::from_bytes(bytes));
    }
    let filter = Selection::of_key(digits).filter()?;
    match shared.inbox.list(&filter, None, 2).await?.as_slice() {
        [entry] => Ok(entry.key),
        [] => Err(Problem::not_found(
            "The inbox has no callback whose key begins like this.",
        )),
        _ => Err(Problem::not_found(
            "The keys of several callbacks begin like this: give more digits, or use the filter of the list.",
        )),
    }
}

impl Page {
    fn new(shared: &Shared, operator: &Operator, details: &Details, paused: bool) -> Self {
        let now = SystemTime::now();
        let entry = &details.entry;
        let key = entry.key.to_string();
        let restored = details.callback.restore();
        let (fields, derived, others) = match &restored {
            Ok(callback) => (
                fields(shared, callback, now),
                derived(callback),
                callback.other_fields().count(),
            ),
            Err(_) => (Vec::new(), Vec::new(), 0),
        };
        Self {
            layout: Layout::new(shared, operator, "callbacks"),
            short_key: key[..12].to_owned(),
            query: Selection::of_key(&*key).query(),
            key,
            state: entry.state,
            stream: Visible::new(&entry.stream_alias, 256),
            received: When::new(entry.received_at, now),
            attempts_counted: entry.attempts,
            last_error: entry
                .last_error
                .as_deref()
                .map(|error| Visible::new(error, 1_024)),
            next: Next::of(entry, paused, now),
            attempts: details
                .attempts
                .iter()
                .rev()
                .map(|attempt| Row::new(attempt, now))
                .collect(),
            fields,
            derived,
            more_fields: others.saturating_sub(MAX_OTHERS),
            damage: restored.err().map(|error| error.to_string()),
            may_redeliver: !shared.read_only && may_redeliver(entry.state),
            may_discard: !shared.read_only && may_discard(entry.state),
        }
    }
}

impl Next {
    fn of(entry: &Entry, paused: bool, now: SystemTime) -> Self {
        let is_due = entry.due_at.is_some_and(|due| due <= now);
        let (text, time) = match entry.state {
            EntryState::Waiting if paused => (
                "The inbox is paused: nothing happens until somebody resumes it. The next attempt is due",
                entry.due_at,
            ),
            EntryState::Waiting if is_due => (
                "A worker takes it as soon as one is free. The next attempt has been due since",
                entry.due_at,
            ),
            EntryState::Waiting => ("The next attempt begins", entry.due_at),
            EntryState::Running => (
                "Its handler runs. If its worker has crashed, another one takes over",
                entry.due_at,
            ),
            EntryState::Done => (
                "Nothing more: it is done, and will be pruned. It was done",
                entry.ended_at,
            ),
            EntryState::Dead => (
                "Nothing by itself: redeliver or discard it. It has been a dead letter since",
                entry.ended_at,
            ),
            EntryState::Discarded => (
                "Nothing more: it is discarded, and will be pruned. It was discarded",
                entry.ended_at,
            ),
        };
        Self {
            text,
            when: time.map(|time| When::new(time, now)),
        }
    }
}

impl Row {
    fn new(attempt: &Attempt, now: SystemTime) -> Self {
        let took = |end: SystemTime| end.duration_since(attempt.started_at).ok();
        let note = &attempt.note.text;
        Self {
            number: attempt.epoch,
            outcome: attempt.outcome,
            status: attempt.note.status,
            started: When::new(attempt.started_at, now),
            took: attempt.ended_at.and_then(took).map(Span),
            note: (!note.is_empty()).then(|| Visible::new(note, 1_024)),
        }
    }
}

impl Field {
    fn new(name: &str, value: impl AsRef<str>) -> Self {
        Self {
            name: Visible::new(name, 128),
            value: Visible::new(value.as_ref(), MAX_VALUE),
            link: None,
            when: None,
        }
    }

    fn time(name: &str, time: UnixSeconds, now: SystemTime) -> Self {
        let when = time.to_system_time().map(|time| When::new(time, now));
        Self {
            when,
            ..Self::new(name, time.to_string())
        }
    }
}

fn fields(shared: &Shared, callback: &RecordCallback, now: SystemTime) -> Vec<Field> {
    let url = callback.replay_url();
    let policy = shared.replay_urls.as_ref();
    let is_allowed = policy.is_some_and(|policy| policy.allows(url)) && url.len() <= MAX_VALUE;
    let mut fields = vec![
        Field::new("appid", callback.appid()),
        Field::new("stream_alias", callback.stream_alias()),
        Field {
            link: is_allowed.then(|| url.to_owned()),
            ..Field::new("replay_url", url)
        },
        Field::time("begin_time", callback.begin_time(), now),
        Field::time("end_time", callback.end_time(), now),
        Field::time("timestamp", callback.timestamp(), now),
        Field::new("nonce", callback.nonce()),
    ];
    let extra = callback.extra_params().text();
    fields.extend(extra.map(|text| Field::new("extra_params", text)));
    let others = callback.other_fields().take(MAX_OTHERS);
    fields.extend(others.map(|(name, value)| Field::new(name, value)));
    fields
}

/// What the fields mean, apart from them: a stranger can name a field like one of these.
fn derived(callback: &RecordCallback) -> Vec<Field> {
    let extra = callback.extra_params();
    let duration = extra.duration().map(|duration| Span(duration).to_string());
    let derived = [
        ("event id", Some(callback.event_id())),
        (
            "vendor",
            extra.vendor().map(|vendor| vendor.name().to_owned()),
        ),
        ("task", extra.task_id().map(str::to_owned)),
        ("file", extra.file_id().map(str::to_owned)),
        ("duration", duration),
        (
            "size",
            extra
                .file_size()
                .map(|bytes| format!("{} bytes", thousands(bytes))),
        ),
    ];
    let present = derived.into_iter();
    present
        .filter_map(|(name, value)| Some(Field::new(name, value?)))
        .collect()
}
