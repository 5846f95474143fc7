//! Redelivering and discarding: a page that says how many, then the act.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use zego_record_inbox::{Entry, EntryState, Note};
use zego_record_receiver::StoreError;

use super::{Layout, callbacks, page};
use crate::action::{Action, ActionReport};
use crate::console::Shared;
use crate::guard::{Form, Operator};
use crate::problem::Problem;
use crate::query::{Pairs, Selection};
use crate::text::Visible;

/// How many callbacks one request changes: a store works on them in one transaction.
const AT_ONCE: u32 = 10_000;
const MAX_REASON: usize = 200;

/// A question, and the form that answers it with yes.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirm {
    pub(super) layout: Layout,
    pub(super) title: String,
    pub(super) texts: Vec<String>,
    pub(super) meant: Vec<(&'static str, Visible)>,
    /// Where the form goes; `None` if there is nothing to do.
    pub(super) action: Option<&'static str>,
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) wants_reason: bool,
    pub(super) back: String,
}

/// What was done.
#[derive(Template)]
#[template(path = "outcome.html")]
pub(super) struct Outcome {
    pub(super) layout: Layout,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) back: String,
    pub(super) back_text: &'static str,
}

/// Whether operators redeliver callbacks in this state.
pub(super) const fn may_redeliver(state: EntryState) -> bool {
    match state {
        EntryState::Waiting | EntryState::Done | EntryState::Dead | EntryState::Discarded => true,
        EntryState::Running => false,
    }
}

/// Whether operators discard callbacks in this state.
pub(super) const fn may_discard(state: EntryState) -> bool {
    match state {
        EntryState::Waiting | EntryState::Dead => true,
        EntryState::Running | EntryState::Done | EntryState::Discarded => false,
    }
}

pub(super) async fn confirm_redeliver(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let selection = read(
        &Pairs::read(query.as_deref().unwrap_or_default())?,
        may_redeliver,
    )?;
    let mut texts = vec!["They are due at once, with all their attempts before them.".to_owned()];
    if matches!(
        selection.state,
        Some(EntryState::Done | EntryState::Discarded)
    ) {
        texts.push("They are over already: what their handler does is done again.".to_owned());
    }
    if selection.is_single() {
        texts = vec![
            "It is due at once, with all its attempts before it. If it is done already, what its handler does is done again. If it runs, it is left alone.".to_owned(),
        ];
    }
    confirm(
        &shared,
        &operator,
        selection,
        "Redeliver",
        "redeliver",
        texts,
    )
    .await
}

pub(super) async fn confirm_discard(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let selection = read(
        &Pairs::read(query.as_deref().unwrap_or_default())?,
        may_discard,
    )?;
    let text = "No handler is run for what is discarded, and it will be pruned. Until then it can be redelivered.";
    confirm(
        &shared,
        &operator,
        selection,
        "Discard",
        "discard",
        vec![text.to_owned()],
    )
    .await
}

async fn confirm(
    shared: &Shared,
    operator: &Operator,
    selection: Selection,
    verb: &str,
    action: &'static str,
    mut texts: Vec<String>,
) -> Result<Response, Problem> {
    check_writable(shared)?;
    let matching = shared.inbox.count(&selection.filter()?).await?;
    let count = matching.min(u64::from(AT_ONCE));
    if count < matching {
        texts.push(format!(
            "{} match, and {} are taken at a time: come back for the others.",
            callbacks(matching),
            callbacks(count)
        ));
    }
    let is_empty = count == 0;
    if is_empty {
        texts = vec!["No callback matches.".to_owned()];
    }
    let pairs = selection.pairs().into_iter();
    let mut hidden: Vec<_> = pairs
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    hidden.push(("count", count.to_string()));
    let mut meant = selection.described();
    if selection.is_single() {
        // By its key alone, nobody knows which one it is.
        let entries = shared.inbox.list(&selection.filter()?, None, 1).await?;
        meant.extend(entries.first().into_iter().flat_map(named));
    }
    Ok(page(&Confirm {
        layout: Layout::new(shared, operator, "callbacks"),
        title: format!("{verb} {}", callbacks(count)),
        texts,
        meant,
        action: (!is_empty).then_some(action),
        hidden,
        wants_reason: action == "discard",
        back: back(&selection),
    }))
}

pub(super) async fn redeliver(
    State(shared): State<Arc<Shared>>,
    form: Form,
) -> Result<Response, Problem> {
    check_writable(&shared)?;
    let (selection, count) = read_confirmed(&form.pairs, may_redeliver)?;
    let changed = shared.inbox.redeliver(&selection.filter()?, count).await;
    let outcome = |changed| format!("{} redelivered", callbacks(changed));
    finish(
        &shared,
        &form.operator,
        &selection,
        Action::Redeliver,
        count,
        changed,
        outcome,
    )
}

pub(super) async fn discard(
    State(shared): State<Arc<Shared>>,
    form: Form,
) -> Result<Response, Problem> {
    check_writable(&shared)?;
    let (selection, count) = read_confirmed(&form.pairs, may_discard)?;
    let reason = form.pairs.get("reason").trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON || reason.len() > Note::MAX_TEXT {
        return Err(Problem::bad_request(format!(
            "Give a reason of 1 to {MAX_REASON} characters: it is what the next person reads."
        )));
    }
    let changed = shared
        .inbox
        .discard(&selection.filter()?, reason, count)
        .await;
    let outcome = |changed| format!("{} discarded", callbacks(changed));
    finish(
        &shared,
        &form.operator,
        &selection,
        Action::Discard { reason },
        count,
        changed,
        outcome,
    )
}

fn finish(
    shared: &Shared,
    operator: &Operator,
    selection: &Selection,
    action: Action<'_>,
    confirmed: u32,
    changed: Result<u64, StoreError>,
    title: impl Fn(u64) -> String,
) -> Result<Response, Problem> {
    shared.actions.report(&ActionReport {
        who: &operator.who,
        action,
        filter: &selection.query(),
        changed: changed.as_ref().ok().copied(),
    });
    let changed = changed?;
    let left = u64::from(confirmed).saturating_sub(changed);
    let text = match left {
        0 => String::new(),
        left => format!(
            "{} of those that you have confirmed were left alone: they run, or were changed meanwhile.",
            callbacks(left)
        ),
    };
    Ok(page(&Outcome {
        layout: Layout::new(shared, operator, "callbacks"),
        title: title(changed),
        text,
        back: back(selection),
        back_text: if selection.is_single() {
            "Back to the callback"
        } else {
            "Back to the list"
        },
    }))
}

/// # Errors
///
/// If operators may only look.
pub(super) fn check_writable(shared: &Shared) -> Result<(), Problem> {
    if shared.read_only {
        return Err(Problem::forbidden(
            "This page is read-only: it was not configured to allow actions.",
        ));
    }
    Ok(())
}

fn named(entry: &Entry) -> [(&'static str, Visible); 2] {
    [
        ("stream", Visible::new(&entry.stream_alias, 256)),
        ("state", Visible::new(entry.state.as_str(), 16)),
    ]
}

/// Where somebody came from.
fn back(selection: &Selection) -> String {
    match selection.is_single() {
        true => format!("/callbacks/{}", selection.key),
        false => format!("/callbacks?{}", selection.query()),
    }
}

/// What is meant: one callback by its key, or those in a state of the right kind.
fn read(pairs: &Pairs, may: fn(EntryState) -> bool) -> Result<Selection, Problem> {
    let selection = Selection::read(pairs)?;
    match selection.state {
        Some(state) if !may(state) => Err(Problem::bad_request(format!(
            "This cannot be done with what is {state}."
        ))),
        None if !selection.is_single() => Err(Problem::bad_request(
            "Choose one state: without it too much would be meant.",
        )),
        _ => Ok(selection),
    }
}

/// The same with the number that was confirmed. No more than that are changed.
fn read_confirmed(pairs: &Pairs, may: fn(EntryState) -> bool) -> Result<(Selection, u32), Problem> {
    let selection = read(pairs, may)?;
    match pairs.number("count")? {
        Some(count) if (1..=AT_ONCE).contains(&count) => Ok((selection, count)),
        _ => Err(Problem::bad_request(
            "The form does not say how many callbacks were confirmed.",
        )),
    }
}
