//! Failures on request.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a handler fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It fails, and the request is answered with this status.
    Status(u16),
    /// It does not end, and is stopped after its time, which is answered 503.
    Timeout,
    /// It panics, which is answered 500.
    Panic,
}

impl FromStr for Failure {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "timeout" => Ok(Self::Timeout),
            "panic" => Ok(Self::Panic),
            _ => match text.parse() {
                Ok(status @ 200..=599) => Ok(Self::Status(status)),
                _ => Err("expected a status from 200 to 599, timeout or panic"),
            },
        }
    }
}

/// Lets the first runs fail, and no further ones.
#[derive(Debug)]
pub(super) struct Failing {
    failure: Option<Failure>,
    left: AtomicU64,
}

impl Failing {
    pub(super) fn new(failure: Option<Failure>, times: u64) -> Self {
        Self {
            failure,
            left: AtomicU64::new(times),
        }
    }

    /// How this run is to fail.
    pub(super) fn next(&self) -> Option<Failure> {
        let failure = self.failure?;
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        taken.is_ok().then_some(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_runs_fail_and_no_more() {
        let failing = Failing::new(Some(Failure::Panic), 2);
        let runs: Vec<_> = (0..4).map(|_| failing.next()).collect();
        assert_eq!(
            runs,
            [Some(Failure::Panic), Some(Failure::Panic), None, None]
        );
        assert_eq!(Failing::new(None, 2).next(), None);
    }

    #[test]
    fn a_failure_is_a_status_or_has_a_name() {
        assert_eq!("404".parse(), Ok(Failure::Status(404)));
        assert_eq!("panic".parse(), Ok(Failure::Panic));
        for text in ["100", "600", "199", "-1", "", "never"] {
            assert!(text.parse::<Failure>().is_err(), "{text}");
        }
    }
}
