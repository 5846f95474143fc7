//! Pausing the inbox, and resuming it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::actions::{Confirm, Outcome, check_writable};
use super::{Layout, callbacks, page};
use crate::action::{Action, ActionReport};
use crate::console::Shared;
use crate::guard::{Form, Operator};
use crate::problem::Problem;

pub(super) async fn confirm_pause(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
) -> Result<Response, Problem> {
    let stats = shared.inbox.stats().await?;
    let text = format!(
        "Callbacks are accepted all the same. {} wait until somebody resumes it; {} that run are not stopped.",
        callbacks(stats.waiting),
        callbacks(stats.running)
    );
    confirm(&shared, &operator, "Pause the inbox", "pause", text)
}

pub(super) async fn confirm_resume(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
) -> Result<Response, Problem> {
    let waiting = shared.inbox.stats().await?.waiting;
    let text = format!(
        "{} wait, and are worked on as they become due.",
        callbacks(waiting)
    );
    confirm(&shared, &operator, "Resume the inbox", "resume", text)
}

fn confirm(
    shared: &Shared,
    operator: &Operator,
    title: &str,
    action: &'static str,
    text: String,
) -> Result<Response, Problem> {
    check_writable(shared)?;
    Ok(page(&Confirm {
        layout: Layout::new(shared, operator, "overview"),
        title: title.to_owned(),
        texts: vec![text],
        meant: Vec::new(),
        action: Some(action),
        hidden: Vec::new(),
        wants_reason: false,
        back: "/".to_owned(),
    }))
}

pub(super) async fn pause(
    State(shared): State<Arc<Shared>>,
    form: Form,
) -> Result<Response, Problem> {
    set(&shared, &form.operator, true).await
}

pub(super) async fn resume(
    State(shared): State<Arc<Shared>>,
    form: Form,
) -> Result<Response, Problem> {
    set(&shared, &form.operator, false).await
}

async fn set(shared: &Shared, operator: &Operator, paused: bool) -> Result<Response, Problem> {
    check_writable(shared)?;
    let result = shared.inbox.set_paused(paused).await;
    let (action, title) = match paused {
        true => (Action::Pause, "The inbox is paused"),
        false => (Action::Resume, "The inbox goes on"),
    };
    shared.actions.report(&ActionReport {
        who: &operator.who,
        action,
        filter: "",
        changed: result.is_ok().then_some(0),
    });
    result?;
    Ok(page(&Outcome {
        layout: Layout::new(shared, operator, "overview"),
        title: title.to_owned(),
        text: String::new(),
        back: "/".to_owned(),
        back_text: "Back to the overview",
    }))
}
