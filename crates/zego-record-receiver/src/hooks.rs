//! What a receiver tells its operator's code.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use zego_record_core::{OtherEvent, RecordCallback, Rejection, Verdict};

/// A signed request that was rejected. It may be a recording all the same, and ZEGOCLOUD gives up
/// after six attempts: keep the body where a person can look at it.
#[derive(Clone, Copy, Debug)]
pub struct Quarantined<'a> {
    /// Why it was rejected.
    pub rejection: &'a Rejection,
    /// The body as it came. It holds a signature that may still be fresh, so keep it to yourself.
    pub body: &'a [u8],
}

/// A callback that was verified and not answered with success, and that did not come again within the
/// time in which ZEGOCLOUD retries: unless another receiver got it, it is lost.
#[derive(Clone, Debug)]
pub struct Abandoned {
    /// The callback.
    pub callback: RecordCallback,
    /// How it was answered the last time.
    pub verdict: Verdict,
}

type Hook<T> = Option<Box<dyn Fn(&T) + Send + Sync>>;
type QuarantineHook = Option<Box<dyn Fn(&Quarantined<'_>) + Send + Sync>>;

#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) rejected: Hook<Rejection>,
    pub(crate) quarantine: QuarantineHook,
    pub(crate) ignored: Hook<OtherEvent>,
    pub(crate) abandoned: Hook<Abandoned>,
}

/// Runs a hook. One that panics must not decide what ZEGOCLOUD is answered.
pub(crate) fn call(hook: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(hook));
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("rejected", &self.rejected.is_some())
            .field("quarantine", &self.quarantine.is_some())
            .field("ignored", &self.ignored.is_some())
            .field("abandoned", &self.abandoned.is_some())
            .finish()
    }
}
