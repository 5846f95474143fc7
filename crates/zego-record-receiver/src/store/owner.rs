//! Owners: who claims a delivery.

use super::contract::{StoreError, StoreErrorKind};

/// One attempt to handle one delivery, unique among all receivers that share a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(u128);

impl Owner {
    /// The owner with this number.
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// An owner that nobody else has, on any machine.
    ///
    /// All of it comes from the operating system, at each call: whatever a process keeps in its memory, a
    /// forked child keeps as well, and two of them would claim as one.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](StoreErrorKind::Unavailable) if the operating system has no random numbers.
    pub fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            let message = format!("the operating system has no random numbers: {error}");
            StoreError::new(StoreErrorKind::Unavailable, message)
        })?;
        Ok(Self(u128::from_be_bytes(bytes)))
    }

    /// The number.
    pub const fn get(self) -> u128 {
        self.0
    }
}
