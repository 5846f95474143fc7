//! A clock that is set by hand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zego_record_core::UnixSeconds;
use zego_record_receiver::Clock;

/// A clock that stands still until a test moves it. Clones are one clock.
///
/// ```
/// use std::time::Duration;
/// use zego_record_core::UnixSeconds;
/// use zego_record_receiver::Clock;
/// use zego_record_testkit::ManualClock;
///
/// let clock = ManualClock::new(UnixSeconds::new(1_760_001_900));
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now(), UnixSeconds::new(1_760_001_905));
///
/// // Somebody sets the time of day; leases are not touched by that.
/// let before = clock.monotonic();
/// clock.set(UnixSeconds::new(0));
/// assert_eq!((clock.now(), clock.monotonic()), (UnixSeconds::new(0), before));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Hands>>);

#[derive(Debug)]
struct Hands {
    now: UnixSeconds,
    monotonic: Duration,
    /// What of an advance did not make a whole second of the time of day yet.
    rest: Duration,
}

impl ManualClock {
    /// A clock that shows this time of day.
    pub fn new(now: UnixSeconds) -> Self {
        let hands = Hands {
            now,
            monotonic: Duration::ZERO,
            rest: Duration::ZERO,
        };
        Self(Arc::new(Mutex::new(hands)))
    }

    /// Lets time pass: both clocks go on.
    pub fn advance(&self, duration: Duration) {
        let mut hands = self.hands();
        hands.monotonic = hands.monotonic.saturating_add(duration);
        let passed = hands.rest.saturating_add(duration);
        hands.now = hands.now.saturating_add(passed);
        hands.rest = Duration::from_nanos(passed.subsec_nanos().into());
    }

    /// Sets the time of day alone, as an operator or a time server does.
    pub fn set(&self, now: UnixSeconds) {
        self.hands().now = now;
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixSeconds {
        self.hands().now
    }

    fn monotonic(&self) -> Duration {
        self.hands().monotonic
    }
}
