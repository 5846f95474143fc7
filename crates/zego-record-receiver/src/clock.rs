//! Where a receiver takes the time from.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use zego_record_core::UnixSeconds;

/// The two clocks of a receiver, which a test can replace.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day, against which timestamps are checked. It may be set back and forth.
    fn now(&self) -> UnixSeconds;

    /// The time since some moment in the past. It never goes back; leases and retention of the memory
    /// store run on it.
    fn monotonic(&self) -> Duration;
}

/// A shared clock.
impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> UnixSeconds {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

/// The clocks of the operating system.
///
/// The monotonic one is tokio's, so it stands still with it in a test that pauses the time.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts the monotonic clock.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixSeconds {
        SystemTime::now().into()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
