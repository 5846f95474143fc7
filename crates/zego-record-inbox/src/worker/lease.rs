//! Extends the lease of a run while its handler runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use zego_record_receiver::Settled;
use zego_record_receiver::support::call;

use super::Inner;
use crate::delivery::CommitState;
use crate::store::Hold;

/// The lease is extended after this part of it, and tried again after the other one.
const EXTEND_AFTER: u32 = 3;
const TRY_AGAIN_AFTER: u32 = 20;
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// A lease that is extended for as long as this exists.
///
/// In a task of its own: a handler that does not yield for a while keeps its lease all the same.
pub(super) struct Lease {
    ends: watch::Receiver<Instant>,
    commit: Arc<CommitState>,
    keeper: JoinHandle<()>,
}

impl Lease {
    pub(super) fn keep(
        inner: &Arc<Inner>,
        hold: Hold,
        commit: Arc<CommitState>,
        ends: Instant,
    ) -> Self {
        let (sender, receiver) = watch::channel(ends);
        let keeper = keep(Arc::clone(inner), hold, Arc::clone(&commit), sender);
        Self {
            ends: receiver,
            commit,
            keeper: tokio::spawn(keeper),
        }
    }

    /// Whether somebody else may have taken over. A commit holds the row, so that nobody can meanwhile.
    pub(super) fn has_ended(&self) -> bool {
        Instant::now() >= *self.ends.borrow() && !self.commit.is_under_way()
    }

    /// Waits until it ends, or may have.
    pub(super) async fn ended(&self) {
        let mut ends = self.ends.clone();
        while !self.has_ended() {
            let at = *ends.borrow_and_update();
            // Later than that only while a commit is under way, whose end nobody reports.
            let at = at.max(Instant::now() + LOOK_AGAIN_AFTER);
            tokio::select! {
                () = sleep_until(at) => {}
                Ok(()) = ends.changed() => {}
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep(
    inner: Arc<Inner>,
    hold: Hold,
    commit: Arc<CommitState>,
    ends: watch::Sender<Instant>,
) {
    let mut next = *ends.borrow() - inner.lease + inner.lease / EXTEND_AFTER;
    loop {
        sleep_until(next).await;
        let asked = Instant::now();
        next = asked + inner.lease / TRY_AGAIN_AFTER;
        if commit.is_under_way() {
            continue;
        }
        match call(inner.store_timeout, || {
            inner.store.extend(&hold, inner.lease)
        })
        .await
        {
            Ok(Settled::Applied) => {
                ends.send_replace(asked + inner.lease);
                next = asked + inner.lease / EXTEND_AFTER;
            }
            Ok(Settled::Stale) if commit.is_under_way() || commit.is_committed() => {}
            Ok(Settled::Stale) => {
                ends.send_replace(asked);
                return;
            }
            Err(error) => inner.telemetry.store_failed("extend", &error),
        }
    }
}
