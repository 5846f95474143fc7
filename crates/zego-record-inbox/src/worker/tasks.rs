//! What a worker does beside its handlers: pruning, and looking at how much there is.

use std::time::Duration;

use tokio::time::sleep;
use zego_record_receiver::support::call;

use super::Inner;

const EVERY: Duration = Duration::from_secs(60);
const PAGE: u32 = 1_000;
/// In one round, so that a store that counts wrongly is not asked without end.
const MAX_PAGES: u32 = 1_000;

impl Inner {
    /// Never ends.
    pub(super) async fn maintain(&self) {
        loop {
            self.prune().await;
            match call(self.store_timeout, || self.store.stats()).await {
                Ok(stats) => self.telemetry.stats(&stats),
                Err(error) => self.telemetry.store_failed("stats", &error),
            }
            sleep(EVERY).await;
        }
    }

    async fn prune(&self) {
        for _ in 0..MAX_PAGES {
            match call(self.store_timeout, || self.store.prune(self.keep, PAGE)).await {
                Ok(pruned) => {
                    self.telemetry.pruned(pruned);
                    if pruned < u64::from(PAGE) {
                        return;
                    }
                }
                Err(error) => return self.telemetry.store_failed("prune", &error),
            }
        }
    }
}
