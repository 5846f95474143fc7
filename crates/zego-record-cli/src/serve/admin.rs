//! The admin address: health, figures, and the operator's page.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use zego_record_core::DeliveryKey;
use zego_record_inbox::{InboxStore, Worker};
use zego_record_receiver::InboxReceiver;
use zego_record_receiver::support::call;

use super::forward::Breaker;
use super::metrics;
use crate::error::chain;

const STORE_WITHIN: Duration = Duration::from_secs(5);
/// With less than this free, the database may soon not be able to take a callback.
const LEAST_FREE: u64 = 64 * 1024 * 1024;

/// What the admin address knows.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) inbox: Arc<dyn InboxStore>,
    pub(super) receiver: InboxReceiver,
    pub(super) worker: Option<Worker>,
    pub(super) breaker: Option<Arc<Breaker>>,
    /// Where the disk must not run full.
    pub(super) directory: Option<PathBuf>,
}

impl Admin {
    /// Health and figures, which need no token: they hold nothing that came in a callback.
    pub(super) fn router(self) -> Router {
        Router::new()
            .route(
                "/healthz",
                get(async || text(StatusCode::OK, "ok\n".to_owned())),
            )
            .route("/readyz", get(readyz))
            .route("/metrics", get(figures))
            .with_state(self)
    }
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let nobody = DeliveryKey::from_bytes([0; 32]);
    if let Err(error) = call(STORE_WITHIN, || admin.inbox.get(&nobody)).await {
        let reason = format!("the database cannot be reached: {}\n", chain(&error));
        return text(StatusCode::SERVICE_UNAVAILABLE, reason);
    }
    match admin.directory.as_deref().map(free) {
        Some(Some(free)) if free < LEAST_FREE => {
            let reason = format!("the disk is nearly full: {free} bytes are free\n");
            text(StatusCode::SERVICE_UNAVAILABLE, reason)
        }
        _ => text(StatusCode::OK, "ready\n".to_owned()),
    }
}

async fn figures(State(admin): State<Admin>) -> Response {
    let stats = call(STORE_WITHIN, || admin.inbox.stats()).await.ok();
    let figures = metrics::Figures {
        receiver: &admin.receiver.counters(),
        worker: admin.worker.as_ref().map(Worker::counters),
        stats,
        is_down: admin
            .breaker
            .as_ref()
            .map(|breaker| breaker.health().down_since.is_some()),
        free: admin.directory.as_deref().and_then(free),
    };
    let kind = (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    ([kind, (CACHE_CONTROL, "no-store")], figures.render()).into_response()
}

fn text(status: StatusCode, text: String) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], text).into_response()
}

/// Bytes that are free for us.
fn free(directory: &std::path::Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(directory).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = directory;
        None
    }
}
