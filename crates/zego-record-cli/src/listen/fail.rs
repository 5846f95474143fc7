//! Failures on request.

use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;

/// How a handler fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Failure {
    /// It gives an error, which is answered 500
    #[value(name = "500")]
    Error,
    /// It does not end, and is stopped after its time, which is answered 503
    Timeout,
    /// It panics, which is answered 500
    Panic,
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
}
