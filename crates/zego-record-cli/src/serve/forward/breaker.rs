//! The destination's breaker: a destination that is down is not a callback's fault.
//!
//! It opens after five failures in a row, over at least two callbacks, by which the destination shows that
//! it is down. While it is open one probe goes out at a time, and nothing spends an attempt.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use zego_record_core::DeliveryKey;

const FAILURES: u32 = 5;

/// Whether requests go out.
#[derive(Debug)]
pub(crate) struct Breaker {
    first_pause: Duration,
    longest_pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In a row.
    failures: u32,
    /// The callback of the first of them, until another one has failed as well.
    only: Option<DeliveryKey>,
    open: Option<Open>,
    last_error: Option<String>,
}

#[derive(Debug)]
struct Open {
    since: SystemTime,
    pause: Duration,
    probe_at: Instant,
    is_probing: bool,
}

/// What a request that is about to go out is to do.
pub(crate) enum Start<'a> {
    Go(Attempt<'a>),
    /// Come back after this time.
    Wait(Duration),
}

/// A request on its way. One that is dropped without a result has none.
pub(crate) struct Attempt<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

/// What an operator sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// Since when the destination has been down; `None` if it is not.
    pub(crate) down_since: Option<SystemTime>,
    pub(crate) last_error: Option<String>,
}

impl Breaker {
    /// The pause between two probes doubles from the first one to the longest.
    pub(crate) fn new(first_pause: Duration, longest_pause: Duration) -> Self {
        Self {
            first_pause,
            longest_pause,
            state: Mutex::default(),
        }
    }

    /// How many callbacks may be claimed now.
    pub(crate) fn claim_limit(&self) -> usize {
        match &self.state().open {
            None => usize::MAX,
            Some(open) if !open.is_probing && Instant::now() >= open.probe_at => 1,
            Some(_) => 0,
        }
    }

    pub(crate) fn start(&self) -> Start<'_> {
        let mut state = self.state();
        let Some(open) = &mut state.open else {
            return Start::Go(Attempt {
                breaker: self,
                is_probe: false,
            });
        };
        let now = Instant::now();
        if open.is_probing || now < open.probe_at {
            let wait = open.probe_at.saturating_duration_since(now);
            return Start::Wait(wait.max(self.first_pause));
        }
        open.is_probing = true;
        Start::Go(Attempt {
            breaker: self,
            is_probe: true,
        })
    }

    pub(crate) fn health(&self) -> Health {
        let state = self.state();
        Health {
            down_since: state.open.as_ref().map(|open| open.since),
            last_error: state.last_error.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The destination has answered, whatever it thinks of the callback.
    pub(crate) fn answered(self) {
        let mut state = self.breaker.state();
        // One that was sent before it went down says nothing about now.
        if state.open.is_none() || self.is_probe {
            *state = State::default();
        }
    }

    /// The destination is down. Returns for how long the callback waits if this attempt does not count.
    pub(crate) fn failed(
        mut self,
        key: DeliveryKey,
        error: &str,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        let breaker = self.breaker;
        let mut state = breaker.state();
        state.last_error = Some(error.to_owned());
        let now = Instant::now();
        let pause = match &state.open {
            Some(open) if !self.is_probe => {
                return Some(
                    open.probe_at
                        .saturating_duration_since(now)
                        .max(breaker.first_pause),
                );
            }
            Some(open) => open.pause.saturating_mul(2).min(breaker.longest_pause),
            None => {
                let is_first = state.failures == 0;
                state.failures += 1;
                state.only = (is_first || state.only == Some(key)).then_some(key);
                if state.failures < FAILURES || state.only.is_some() {
                    return None;
                }
                breaker.first_pause
            }
        };
        let since = state
            .open
            .as_ref()
            .map_or_else(SystemTime::now, |open| open.since);
        let wait = pause.max(retry_after.unwrap_or_default());
        state.open = Some(Open {
            since,
            pause,
            probe_at: now + wait,
            is_probing: false,
        });
        self.is_probe = false;
        Some(wait)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.is_probe
            && let Some(open) = &mut self.breaker.state().open
        {
            open.is_probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    fn key(byte: u8) -> DeliveryKey {
        DeliveryKey::from_bytes([byte; 32])
    }

    fn fail(breaker: &Breaker, callback: u8) -> Option<Duration> {
        match breaker.start() {
            Start::Go(attempt) => attempt.failed(key(callback), "refused", None),
            Start::Wait(wait) => panic!("waits for {wait:?}"),
        }
    }

    fn opened() -> Breaker {
        let breaker = Breaker::new(PAUSE, 4 * PAUSE);
        for callback in 0..4 {
            assert_eq!(fail(&breaker, callback), None);
        }
        assert_eq!(fail(&breaker, 4), Some(PAUSE));
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn opens_after_five_failures_over_two_callbacks() {
        let breaker = Breaker::new(PAUSE, 4 * PAUSE);
        for _ in 0..9 {
            assert_eq!(
                fail(&breaker, 1),
                None,
                "one callback may be at fault itself"
            );
        }
        assert_eq!(fail(&breaker, 2), Some(PAUSE));
        assert_eq!(breaker.claim_limit(), 0);
        assert!(breaker.health().down_since.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_the_row() {
        let breaker = Breaker::new(PAUSE, 4 * PAUSE);
        for callback in 0..4 {
            fail(&breaker, callback);
        }
        let Start::Go(attempt) = breaker.start() else {
            panic!("open")
        };
        attempt.answered();
        assert_eq!(fail(&breaker, 5), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_goes_out_at_a_time_and_its_pauses_double() {
        let breaker = opened();
        assert!(matches!(breaker.start(), Start::Wait(wait) if wait == PAUSE));
        for pause in [2, 4, 4] {
            tokio::time::advance(4 * PAUSE).await;
            assert_eq!(breaker.claim_limit(), 1);
            let Start::Go(probe) = breaker.start() else {
                panic!("no probe")
            };
            assert_eq!(breaker.claim_limit(), 0, "while a probe is out");
            assert!(matches!(breaker.start(), Start::Wait(_)));
            assert_eq!(probe.failed(key(9), "refused", None), Some(pause * PAUSE));
        }
        tokio::time::advance(4 * PAUSE).await;
        let Start::Go(probe) = breaker.start() else {
            panic!("no probe")
        };
        probe.answered();
        assert_eq!(breaker.claim_limit(), usize::MAX);
        assert_eq!(breaker.health().down_since, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_without_a_result_makes_way_for_another() {
        let breaker = opened();
        tokio::time::advance(PAUSE).await;
        drop(breaker.start());
        assert_eq!(breaker.claim_limit(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_as_long_as_the_destination_asks_for() {
        let breaker = opened();
        tokio::time::advance(PAUSE).await;
        let Start::Go(probe) = breaker.start() else {
            panic!("no probe")
        };
        let asked = 100 * PAUSE;
        assert_eq!(probe.failed(key(1), "503", Some(asked)), Some(asked));
        tokio::time::advance(99 * PAUSE).await;
        assert_eq!(breaker.claim_limit(), 0);
    }
}
