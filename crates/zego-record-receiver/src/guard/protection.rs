//! The configuration of replay protection: one thing to pass to a receiver.

use std::fmt;
use std::sync::Arc;

use super::contract::ReplayGuard;

/// How a receiver protects against replays, for
/// [`ReceiverBuilder::guard`](crate::ReceiverBuilder::guard). Every [`ReplayGuard`] converts into one
/// that enforces.
///
/// ```
/// use zego_record_receiver::{MemoryGuard, ReplayProtection};
///
/// let bigger = ReplayProtection::from(MemoryGuard::with_capacity(1_000_000));
/// let only_counted = ReplayProtection::default().observe_only();
/// let off = ReplayProtection::insecure_off();
/// ```
#[derive(Clone)]
pub struct ReplayProtection {
    pub(crate) guard: Option<Arc<dyn ReplayGuard>>,
    pub(crate) mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Off,
    Observe,
    Enforce,
}

impl ReplayProtection {
    /// A signature that comes with other content is counted and logged, and let through.
    #[must_use]
    pub fn observe_only(mut self) -> Self {
        self.mode = Mode::Observe;
        self
    }

    /// Nothing is remembered and nothing rejected: anyone who has seen one signed request can send any
    /// content while its signature is fresh.
    pub fn insecure_off() -> Self {
        Self {
            guard: None,
            mode: Mode::Off,
        }
    }
}

/// Enforced by the guard that a receiver builds for itself, in memory and on its own clock, or by its inbox
/// if it has one.
impl Default for ReplayProtection {
    fn default() -> Self {
        Self {
            guard: None,
            mode: Mode::Enforce,
        }
    }
}

impl<G: ReplayGuard + 'static> From<G> for ReplayProtection {
    fn from(guard: G) -> Self {
        Self {
            guard: Some(Arc::new(guard)),
            mode: Mode::Enforce,
        }
    }
}

impl fmt::Debug for ReplayProtection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayProtection")
            .field("guard", &self.guard)
            .field("mode", &self.mode)
            .finish()
    }
}
