//! Guards that are deliberately plain, and broken in one way each.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use zego_record_core::UnixSeconds;
use zego_record_receiver::{Binding, BoxFuture, Clock, ReplayCheck, ReplayGuard, StoreError};
use zego_record_testkit::ManualClock;

/// A bound signature: its content, and when it expires.
pub(crate) type Bound = ([u8; 20], [u8; 16], Duration);

/// What is wrong with a plain guard; nothing by default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuardFaults {
    pub(crate) bind: fn(&ReplayCheck) -> ReplayCheck,
    pub(crate) prolongs: bool,
    pub(crate) purges: fn(&Bound, Duration) -> bool,
    pub(crate) returns: fn(u64) -> u64,
}

impl Default for GuardFaults {
    fn default() -> Self {
        Self {
            bind: |check| *check,
            prolongs: false,
            purges: |(_, _, expires), now| *expires <= now,
            returns: |removed| removed,
        }
    }
}

/// The simplest guard there is: a list under a lock.
#[derive(Debug)]
pub(crate) struct PlainGuard {
    pub(crate) clock: ManualClock,
    bound: Mutex<Vec<Bound>>,
    faults: GuardFaults,
}

impl PlainGuard {
    pub(crate) fn new(faults: GuardFaults) -> Self {
        Self {
            clock: ManualClock::new(UnixSeconds::new(0)),
            bound: Mutex::default(),
            faults,
        }
    }

    fn look(&self, check: &ReplayCheck) -> Binding {
        let now = self.clock.monotonic();
        let bound = self.bound.lock().unwrap();
        let known = bound
            .iter()
            .find(|(signature, _, expires)| *signature == check.signature && now < *expires);
        match known {
            None => Binding::First,
            Some((_, content, _)) if *content == check.content => Binding::Same,
            Some(_) => Binding::Conflict,
        }
    }

    fn write(&self, check: &ReplayCheck) {
        let expires = self.clock.monotonic() + check.keep_for;
        let mut bound = self.bound.lock().unwrap();
        bound.retain(|(signature, ..)| *signature != check.signature);
        bound.push((check.signature, check.content, expires));
    }
}

impl ReplayGuard for PlainGuard {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        let check = (self.faults.bind)(check);
        let binding = self.look(&check);
        if binding == Binding::First || (binding == Binding::Same && self.faults.prolongs) {
            self.write(&check);
        }
        Box::pin(async move { Ok(binding) })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        let now = self.clock.monotonic();
        let mut bound = self.bound.lock().unwrap();
        let (before, mut left) = (bound.len(), limit);
        bound.retain(|entry| {
            let goes = left > 0 && (self.faults.purges)(entry, now);
            left -= u32::from(goes);
            !goes
        });
        let purged = (self.faults.returns)((before - bound.len()) as u64);
        Box::pin(async move { Ok(purged) })
    }

    fn evictions(&self) -> u64 {
        0
    }
}

/// A look, and a moment later a write.
#[derive(Debug)]
pub(crate) struct ReadsThenBinds(pub(crate) Arc<PlainGuard>);

impl ReplayGuard for ReadsThenBinds {
    fn bind<'a>(&'a self, check: &'a ReplayCheck) -> BoxFuture<'a, Result<Binding, StoreError>> {
        Box::pin(async move {
            let binding = self.0.look(check);
            tokio::task::yield_now().await;
            if binding == Binding::First {
                self.0.write(check);
            }
            Ok(binding)
        })
    }

    fn purge(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.0.purge(limit)
    }

    fn evictions(&self) -> u64 {
        0
    }
}
