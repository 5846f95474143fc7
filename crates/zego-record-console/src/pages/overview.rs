//! The overview: what waits, what is dead, and what came.

use std::sync::Arc;
use std::time::SystemTime;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use zego_record_inbox::{EntryState, Stats};

use super::{Layout, page, thousands};
use crate::chart::Chart;
use crate::console::Shared;
use crate::guard::Operator;
use crate::problem::Problem;
use crate::query::Selection;
use crate::text::Visible;
use crate::time::{Span, When};

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    layout: Layout,
    paused: bool,
    tiles: Vec<Tile>,
    oldest: Option<Span>,
    destination: Option<Destination>,
    rejected: Option<String>,
    charts: [Chart; 2],
}

/// How many are in a state, and where to see them.
struct Tile {
    state: EntryState,
    count: String,
    query: String,
    is_alarm: bool,
}

struct Destination {
    up: bool,
    since: Option<When>,
    last_error: Option<Visible>,
}

pub(super) async fn overview(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
) -> Result<Response, Problem> {
    let now = SystemTime::now();
    let stats = shared.inbox.stats().await?;
    let charts = shared.arrivals.charts(&shared.inbox, now).await;
    let destination = shared.destination.health().map(|health| Destination {
        up: health.up,
        since: health.since.map(|since| When::new(since, now)),
        last_error: health.last_error.map(|error| Visible::new(&error, 512)),
    });
    let rejected = shared.rejections.as_ref().map(|rejections| {
        let reasons = rejections.reasons(now).into_iter();
        thousands(reasons.fold(0, |sum, reason| reason.last_day.saturating_add(sum)))
    });
    Ok(page(&Overview {
        layout: Layout::new(&shared, &operator, "overview"),
        paused: stats.paused,
        tiles: tiles(&stats),
        oldest: stats.oldest.map(Span),
        destination,
        rejected,
        charts,
    }))
}

fn tiles(stats: &Stats) -> Vec<Tile> {
    let tiles = EntryState::ALL.iter().map(|&state| Tile {
        state,
        count: thousands(stats.of(state)),
        query: Selection::of_state(state).query(),
        is_alarm: state == EntryState::Dead && stats.of(state) > 0,
    });
    tiles.collect()
}
