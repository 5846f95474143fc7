//! An inbox in the memory of one process, for tests.

mod contents;
mod row;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use zego_record_core::DeliveryKey;
use zego_record_receiver::{
    Accept, Accepted, Binding, BoxFuture, Clock, MemoryGuard, NewCallback, ReplayCheck,
    ReplayGuard, Settled, StoreError, SystemClock,
};

use crate::arrivals::Arrivals;
use crate::entry::{Details, Entry, Filter, Stats};
use crate::store::{ClaimDue, Claimed, Hold, InboxStore, RunEnded};
use contents::Contents;
use row::Moment;

/// An inbox for tests: it forgets everything when the process ends.
///
/// **Never receive callbacks into it.** A receiver with an inbox answers `1` as soon as the callback is
/// stored, ZEGOCLOUD then forgets it, and with this inbox the next restart does so as well. A receiver
/// without an inbox, which answers when its handler has succeeded, loses nothing and needs no database.
///
/// It keeps everything until it is pruned or erased, without a bound, and looks through all of it for
/// each claim and each list. Otherwise it does what the inboxes in databases do, and with a clock that a
/// test moves by hand (`ManualClock` of `zego-record-testkit`), leases end and retries become due at once.
///
/// ```
/// use std::time::Duration;
/// use zego_record_inbox::{ClaimDue, InboxStore, MemoryInbox};
/// use zego_record_receiver::{Accept, Accepted, NewCallback, Owner};
/// use zego_record_testkit::CallbackBuilder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let inbox = MemoryInbox::new();
/// let callback = CallbackBuilder::new().build();
/// let accepted = inbox.accept(&NewCallback::new(&callback)).await.unwrap();
/// assert_eq!(accepted, Accepted::New);
///
/// let claim = ClaimDue::new(Owner::random().unwrap(), Duration::from_secs(60), 1);
/// let claimed = inbox.claim_due(&claim).await.unwrap();
/// let restored = claimed[0].callback.restore().unwrap();
/// assert_eq!(restored.replay_url(), callback.replay_url());
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryInbox {
    clock: Arc<dyn Clock>,
    guard: MemoryGuard,
    contents: Mutex<Contents>,
    arrivals: Arrivals,
}

impl MemoryInbox {
    /// An empty inbox.
    pub fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            guard: MemoryGuard::new(),
            contents: Mutex::default(),
            arrivals: Arrivals::new(),
        }
    }

    /// The same inbox on another clock. Its monotonic side decides what is due, and its time of day is
    /// what people see.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        self.guard = self.guard.with_clock(Arc::clone(&clock));
        self.clock = clock;
        self
    }

    fn now(&self) -> Moment {
        let shown = self.clock.now().to_system_time();
        Moment {
            monotonic: self.clock.monotonic(),
            shown: shown.unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }

    /// Each call is one step under this lock, and the time is read under it as well.
    fn step<'a, T: Send + 'a>(
        &'a self,
        step: impl FnOnce(&mut Contents, Moment) -> T + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move {
            let mut contents = self.lock();
            let now = self.now();
            Ok(step(&mut contents, now))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // Nothing between two writes of a step can panic.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryInbox {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplayGuard for MemoryInbox {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        self.guard.bind(check)
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.guard.purge(limit)
    }

    fn evictions(&self) -> u64 {
        self.guard.evictions()
    }

    fn is_infallible(&self) -> bool {
        true
    }
}

impl Accept for MemoryInbox {
    fn accept<'a>(
        &'a self,
        callback: &'a NewCallback,
    ) -> BoxFuture<'a, Result<Accepted, StoreError>> {
        self.step(|contents, now| {
            let binding = callback
                .replay
                .as_ref()
                .map(|check| self.guard.bind_now(check));
            if binding == Some(Binding::Conflict) {
                return Accepted::Conflict;
            }
            if !contents.insert(callback, now) {
                return Accepted::Known;
            }
            self.arrivals.notify();
            Accepted::New
        })
    }
}

impl InboxStore for MemoryInbox {
    fn claim_due<'a>(
        &'a self,
        claim: &'a ClaimDue,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, StoreError>> {
        self.step(|contents, now| contents.claim_due(claim, now))
    }

    fn extend<'a>(
        &'a self,
        hold: &'a Hold,
        lease: Duration,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        self.step(move |contents, now| contents.extend(hold, lease, now))
    }

    fn settle<'a>(
        &'a self,
        hold: &'a Hold,
        ended: &'a RunEnded,
    ) -> BoxFuture<'a, Result<Settled, StoreError>> {
        self.step(|contents, now| contents.settle(hold, ended, now))
    }

    fn get<'a>(
        &'a self,
        key: &'a DeliveryKey,
    ) -> BoxFuture<'a, Result<Option<Details>, StoreError>> {
        self.step(|contents, _| contents.get(key))
    }

    fn list<'a>(
        &'a self,
        filter: &'a Filter,
        before: Option<i64>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.step(move |contents, _| contents.list(filter, before, limit))
    }

    fn count<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.step(|contents, _| contents.count(filter))
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats, StoreError>> {
        self.step(|contents, now| contents.stats(now))
    }

    fn redeliver<'a>(
        &'a self,
        filter: &'a Filter,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.step(move |contents, now| {
            let redelivered = contents.redeliver(filter, limit, now);
            if redelivered > 0 {
                self.arrivals.notify();
            }
            redelivered
        })
    }

    fn renew<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.step(|contents, _| contents.renew(key))
    }

    fn discard<'a>(
        &'a self,
        filter: &'a Filter,
        reason: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.step(move |contents, now| contents.discard(filter, reason, limit, now))
    }

    fn set_paused(&self, paused: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        self.step(move |contents, _| {
            contents.paused = paused;
            if !paused {
                self.arrivals.notify();
            }
        })
    }

    fn prune(&self, keep: Duration, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.step(move |contents, now| contents.prune(keep, limit, now))
    }

    fn erase<'a>(&'a self, key: &'a DeliveryKey) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.step(|contents, _| contents.erase(key))
    }

    fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }
}
