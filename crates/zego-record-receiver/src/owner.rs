//! Owners: who claims a delivery.

use crate::store::{Owner, StoreError, StoreErrorKind};

/// An owner that nobody else has, on any machine.
///
/// All of it comes from the operating system, at each call: whatever a process keeps in its memory, a
/// forked child keeps as well, and two of them would claim as one.
pub(crate) fn random() -> Result<Owner, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let message = format!("the operating system has no random numbers: {error}");
        StoreError::new(StoreErrorKind::Unavailable, message)
    })?;
    Ok(Owner::new(u128::from_be_bytes(bytes)))
}
