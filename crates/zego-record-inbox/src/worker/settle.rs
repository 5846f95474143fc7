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
    pub(super) async fn settle_keeping(
        &self,
        hold: &Hold,
        ended: &RunEnded,
        lease: &Lease,
    ) -> Recorded {
        let mut tries = Tries::new();
        loop {
            if let Some(recorded) = self.try_settle(hold, ended, &tries).await {
                return recorded;
            }
            if lease.has_ended() {
                break;
            }
            // As long as the store can extend the lease, it will settle as well.
            if timeout(tries.pause(), self.phase.aborting()).await.is_ok() {
                // Once more, with all the time that a shutdown has left.
                if let Some(recorded) = self.try_settle(hold, ended, &tries).await {
                    return recorded;
                }
                break;
            }
        }
        self.telemetry.not_settled(ended.next == Next::Done);
        Recorded::Perhaps
    }

    /// Settles before the lease ends, or leaves it to its end.
    pub(super) async fn settle(
        &self,
        hold: &Hold,
        ended: &RunEnded,
        lease_ends: Instant,
    ) -> Recorded {
        let mut tries = Tries::new();
        loop {
            if let Some(recorded) = self.try_settle(hold, ended, &tries).await {
                return recorded;
            }
            if Instant::now() >= lease_ends || self.phase.is_aborting() {
                self.telemetry.not_settled(false);
                return Recorded::Perhaps;
            }
            sleep(tries.pause()).await;
        }
    }

    /// What the store has answered, if it has. That somebody else holds the run is an answer, too.
    async fn try_settle(&self, hold: &Hold, ended: &RunEnded, tries: &Tries) -> Option<Recorded> {
        match call(self.store_timeout, || self.store.settle(hold, ended)).await {
            Ok(Settled::Applied) => Some(Recorded::Yes),
            Ok(Settled::Stale) if ended.next == Next::Done => Some(Recorded::Yes),
            Ok(Settled::Stale) => {
                self.telemetry.lease_lost();
                Some(if tries.are_more_than_one() {
                    Recorded::Perhaps
                } else {
                    Recorded::No
                })
            }
            Err(error) => {
                self.telemetry.store_failed("settle", &error);
                None
            }
        }
    }
}

/// Whether the store has recorded the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    Yes,
    /// An earlier try may have, whose answer was lost.
    Perhaps,
    /// The callback is somebody else's, or has been done meanwhile.
    No,
}

/// Pauses that grow.
struct Tries(Duration);

impl Tries {
    const fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    fn are_more_than_one(&self) -> bool {
        self.0 > FIRST_PAUSE
    }

    fn pause(&mut self) -> Duration {
        let pause = self.0;
        self.0 = pause.saturating_mul(2).min(LONGEST_PAUSE);
        pause
    }
}
