//! The states of a delivery as pure functions; every store does the same, in its own language.

use std::time::Duration;

use super::contract::{Claim, ClaimOutcome, Lease, Settled, Settlement};
use super::owner::Owner;

/// What a store knows of a delivery. Times are on the store's clock, as durations since some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Where the delivery stands.
    pub state: DeliveryState,
    /// How often its handler was started.
    pub epoch: u32,
    /// Whether another delivery about the same file was known when this one first came.
    pub changed: bool,
    /// When the record may be forgotten.
    pub expires: Duration,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Its handler runs.
    Running {
        /// Who runs it.
        owner: Owner,
        /// When somebody else may.
        lease_ends: Duration,
    },
    /// Its effect is done.
    Done,
    /// It may be tried again.
    Failed,
}

impl DeliveryRecord {
    /// Decides a claim: the new record, and the result. `changed` is whether the store
    /// knows another delivery about the same file; it matters only for a record that is new.
    pub fn claim(
        record: Option<Self>,
        claim: &Claim,
        changed: bool,
        now: Duration,
    ) -> (Option<Self>, ClaimOutcome) {
        let Some(record) = record.filter(|record| !record.is_forgotten(now)) else {
            return Self::run(claim, 1, changed, now);
        };
        match record.state {
            DeliveryState::Done => (Some(record), ClaimOutcome::Done),
            DeliveryState::Running { owner, .. } if owner == claim.owner => {
                Self::run(claim, record.epoch, record.changed, now)
            }
            DeliveryState::Running { lease_ends, .. } if now < lease_ends => {
                (Some(record), ClaimOutcome::Busy)
            }
            DeliveryState::Running { .. } | DeliveryState::Failed => {
                Self::run(claim, record.epoch.saturating_add(1), record.changed, now)
            }
        }
    }

    /// Decides a settlement: the new record, and the result.
    pub fn settle(
        record: Option<Self>,
        claim: &Claim,
        settlement: Settlement,
        now: Duration,
    ) -> (Option<Self>, Settled) {
        let owned = record.filter(|record| match record.state {
            DeliveryState::Running { owner, .. } => owner == claim.owner,
            DeliveryState::Done | DeliveryState::Failed => false,
        });
        let done = record.is_some_and(|record| record.state == DeliveryState::Done);
        match (settlement, owned) {
            (Settlement::Done, _) if !done => {
                let (epoch, changed) =
                    record.map_or((1, false), |record| (record.epoch, record.changed));
                let expires = now.saturating_add(claim.retention);
                (
                    Some(Self {
                        state: DeliveryState::Done,
                        epoch,
                        changed,
                        expires,
                    }),
                    Settled::Applied,
                )
            }
            (Settlement::Failed, Some(record)) => {
                let expires = now.saturating_add(claim.retention);
                (
                    Some(Self {
                        state: DeliveryState::Failed,
                        expires,
                        ..record
                    }),
                    Settled::Applied,
                )
            }
            (Settlement::Extend, Some(record)) => {
                let (record, _) = Self::run(claim, record.epoch, record.changed, now);
                (record, Settled::Applied)
            }
            _ => (record, Settled::Stale),
        }
    }

    /// Whether the handler runs by a lease that is good.
    pub fn is_running(&self, now: Duration) -> bool {
        matches!(self.state, DeliveryState::Running { lease_ends, .. } if now < lease_ends)
    }

    /// Whether the record may be removed: it has expired, and nobody runs.
    pub fn is_forgotten(&self, now: Duration) -> bool {
        self.expires <= now && !self.is_running(now)
    }

    fn run(
        claim: &Claim,
        epoch: u32,
        changed: bool,
        now: Duration,
    ) -> (Option<Self>, ClaimOutcome) {
        let lease_ends = now.saturating_add(claim.lease);
        let record = Self {
            state: DeliveryState::Running {
                owner: claim.owner,
                lease_ends,
            },
            epoch,
            changed,
            expires: lease_ends.saturating_add(claim.retention),
        };
        (Some(record), ClaimOutcome::Run(Lease::new(epoch, changed)))
    }
}
