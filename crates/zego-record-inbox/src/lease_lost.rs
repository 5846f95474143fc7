//! Why a run may not commit.

use std::error::Error;
use std::fmt;

use zego_record_receiver::{StoreError, StoreErrorKind};

/// The run of a handler that has lost its callback: its lease has ended and another run has taken over, or
/// the callback is done, discarded, dead or erased. Nothing was written. It is the source of a
/// [`StoreError`] of `commit_with`, which the stores in databases have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseLost;

impl LeaseLost {
    /// The error of a store that writes nothing for this reason.
    pub fn error() -> StoreError {
        StoreError::new(StoreErrorKind::Unavailable, Self)
    }

    /// Whether this is why a store has failed.
    pub fn is_cause_of(error: &StoreError) -> bool {
        error.source().is_some_and(<dyn Error>::is::<Self>)
    }
}

impl fmt::Display for LeaseLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this run no longer holds the callback, and nothing was written: let the handler end",
        )
    }
}

impl Error for LeaseLost {}
