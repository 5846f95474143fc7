//! What happens beside the requests: purging what has expired, and watching for missing retries.
//!
//! A task belongs to the runtime that it was spawned in, and a receiver may outlive a runtime. So a task
//! marks that it is running for as long as it exists, and the next delivery starts another one if that
//! has ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use zego_record_core::DeliveryKey;

use crate::concurrency::State;
use crate::hooks::Abandoned;
use crate::receiver::{Inner, Receiver};
use crate::telemetry::Count;

const PURGE_EVERY: Duration = Duration::from_secs(60);
const PURGE_PAGE: u32 = 1_000;
/// In one round, so that a store that counts wrongly is not asked without end.
const MAX_PAGES: u32 = 1_000;

/// Whether a task of a kind is running.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<AtomicBool>);

struct Mark(Running);

#[derive(Debug, Default)]
pub(crate) struct Background {
    purging: Running,
    watching: Running,
}

/// Starts what is to run beside a receiver.
pub(crate) fn ensure_running(receiver: &Receiver) {
    if let Ok(runtime) = Handle::try_current()
        && let Some(mark) = receiver.0.background.purging.mark()
    {
        runtime.spawn(purge_until_the_end(
            Arc::downgrade(&receiver.0),
            receiver.0.concurrency.subscribe(),
            mark,
        ));
    }
    watch(&receiver.0);
}

/// Watches for the retry of a callback that has failed.
pub(crate) fn watch_for_retry(receiver: &Receiver, key: DeliveryKey, failure: Abandoned) {
    let inner = &receiver.0;
    if !inner.missing_retries.failed(key, failure) {
        inner.telemetry.count(Count::RetryUnwatched, 1);
    }
    watch(inner);
}

async fn purge_until_the_end(weak: Weak<Inner>, mut end: watch::Receiver<State>, _mark: Mark) {
    while purge_all(&weak).await {
        let next = Instant::now() + PURGE_EVERY;
        // An error means that the receiver is gone; a change is a shutdown, which needs no hurry here.
        while let Ok(changed) = timeout_at(next, end.changed()).await {
            if changed.is_err() {
                return;
            }
        }
    }
}

/// Removes what has expired, page by page; `false` if the receiver is gone.
async fn purge_all(weak: &Weak<Inner>) -> bool {
    for part in [Part::Deliveries, Part::Bindings] {
        for _ in 0..MAX_PAGES {
            // For each page anew: a large backlog must not keep the receiver alive.
            let Some(inner) = weak.upgrade() else {
                return false;
            };
            if inner.purge_page(part).await < u64::from(PURGE_PAGE) {
                break;
            }
            tokio::task::consume_budget().await;
        }
    }
    let inner = weak.upgrade();
    inner.is_some_and(|inner| {
        inner.telemetry.evictions(&inner.gauges());
        true
    })
}

fn watch(inner: &Arc<Inner>) {
    if !inner.missing_retries.is_empty()
        && let Ok(runtime) = Handle::try_current()
        && let Some(mark) = inner.background.watching.mark()
    {
        runtime.spawn(watch_until_none_is_left(Arc::downgrade(inner), mark));
    }
}

async fn watch_until_none_is_left(weak: Weak<Inner>, mark: Mark) {
    while let Some(inner) = weak.upgrade() {
        let (missing, next) = inner.missing_retries.take_missing();
        for abandoned in &missing {
            inner.telemetry.abandoned(abandoned);
            inner.config.hooks.abandoned(abandoned);
        }
        let Some(next) = next else {
            drop(mark);
            // One may have failed just now, while there still was a watcher.
            return watch(&inner);
        };
        drop(inner);
        sleep_until(next).await;
    }
}

/// What is purged.
#[derive(Clone, Copy)]
enum Part {
    Deliveries,
    Bindings,
}

impl Inner {
    async fn purge_page(&self, part: Part) -> u64 {
        let (name, purged) = match part {
            Part::Deliveries => ("delivery store", self.store.purge(PURGE_PAGE).await),
            Part::Bindings => ("replay guard", self.guard.purge(PURGE_PAGE).await),
        };
        match purged {
            Ok(purged) => {
                self.telemetry.count(Count::Purged, purged);
                purged
            }
            Err(error) => {
                self.telemetry.purge_failed(name, &error);
                0
            }
        }
    }
}

impl Running {
    /// The mark for a new task, unless one is running.
    fn mark(&self) -> Option<Mark> {
        let is_free = !self.0.load(Ordering::Acquire) && !self.0.swap(true, Ordering::AcqRel);
        is_free.then(|| Mark(self.clone()))
    }
}

/// Also when a runtime ends and drops its tasks.
impl Drop for Mark {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}
