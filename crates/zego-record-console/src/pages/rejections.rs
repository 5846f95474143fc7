//! What was rejected in the last hours, and why.

use std::sync::Arc;
use std::time::SystemTime;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::{Layout, page, thousands};
use crate::console::Shared;
use crate::guard::Operator;
use crate::problem::Problem;
use crate::rejections::{HOURS, Reason};
use crate::text::Visible;
use crate::time::When;

#[derive(Template)]
#[template(path = "rejections.html")]
struct Page {
    layout: Layout,
    hours: u64,
    rows: Vec<Row>,
}

struct Row {
    code: &'static str,
    status: u16,
    last_hour: String,
    last_day: String,
    example: Option<Example>,
}

struct Example {
    at: When,
    reason: Visible,
    appid: Option<Visible>,
    signed: bool,
    quarantined: Option<Signed>,
}

struct Signed {
    timestamp: Visible,
    nonce: Visible,
    bytes: String,
}

pub(super) async fn rejections(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
) -> Result<Response, Problem> {
    let now = SystemTime::now();
    let absent = || Problem::not_found("This console is not connected to the hooks of a receiver.");
    let reasons = shared.rejections.as_ref().ok_or_else(absent)?.reasons(now);
    Ok(page(&Page {
        layout: Layout::new(&shared, &operator, "rejections"),
        hours: HOURS,
        rows: reasons
            .into_iter()
            .map(|reason| Row::new(reason, now))
            .collect(),
    }))
}

impl Row {
    fn new(reason: Reason, now: SystemTime) -> Self {
        let visible = |text: &str| Visible::new(text, 256);
        Self {
            code: reason.code,
            status: reason.status,
            last_hour: thousands(reason.last_hour),
            last_day: thousands(reason.last_day),
            example: reason.example.map(|example| Example {
                at: When::new(example.at, now),
                reason: visible(&example.reason),
                appid: example.appid.as_deref().map(visible),
                signed: example.signed,
                quarantined: example.quarantined.map(|signed| Signed {
                    timestamp: visible(&signed.timestamp),
                    nonce: visible(&signed.nonce),
                    bytes: thousands(u64::try_from(signed.bytes).unwrap_or(u64::MAX)),
                }),
            }),
        }
    }
}
