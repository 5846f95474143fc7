//! Records how a run has ended, and tries again if the store fails.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use zego_record_receiver::Settled;
use zego_record_receiver::support::call;

use super::Inner;
use super::lease::Lease;
use crate::store::{Hold, Next, RunEnded};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Inner {
    /// Settles while the lease is extended. That the effect is done is worth every effort: otherwise it is
    /// done again. Everything else comes to the same when the lease ends.
    pub(super) async fn settle_keeping(&self, hold: &Hold, ended: &RunEnded, lease: &Lease) {
        let mut tries = Tries::new();
        loop {
            if self.try_settle(hold, ended).await {
                return;
            }
            if lease.has_ended() {
                break;
            }
            // As long as the store can extend the lease, it will settle as well.
            if timeout(tries.pause(), self.phase.aborting()).await.is_ok() {
                // Once more, with all the time that a shutdown has left.
                if self.try_settle(hold, ended).await {
                    return;
                }
                break;
            }
        }
        self.telemetry.not_settled(ended.next == Next::Done);
    }

    /// Settles before the lease ends, or leaves it to its end.
    pub(super) async fn settle(&self, hold: &Hold, ended: &RunEnded, lease_ends: Instant) {
        let mut tries = Tries::new();
        while !self.try_settle(hold, ended).await {
            if Instant::now() >= lease_ends || self.phase.is_aborting() {
                return self.telemetry.not_settled(false);
            }
            sleep(tries.pause()).await;
        }
    }

    /// Whether the store has answered. That somebody else holds the run is an answer, too.
    async fn try_settle(&self, hold: &Hold, ended: &RunEnded) -> bool {
        match call(self.store_timeout, || self.store.settle(hold, ended)).await {
            Ok(Settled::Applied) => true,
            Ok(Settled::Stale) => {
                if ended.next != Next::Done {
                    self.telemetry.lease_lost();
                }
                true
            }
            Err(error) => {
                self.telemetry.store_failed("settle", &error);
                false
            }
        }
    }
}

/// Pauses that grow.
struct Tries(Duration);

impl Tries {
    const fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    fn pause(&mut self) -> Duration {
        let pause = self.0;
        self.0 = pause.saturating_mul(2).min(LONGEST_PAUSE);
        pause
    }
}
