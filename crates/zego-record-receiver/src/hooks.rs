//! What a receiver reports to its operator's code.

use std::fmt;
use std::time::Duration;

use zego_record_core::{OtherEvent, RecordCallback, Rejection, Unverified, Verdict};

use crate::delivery::HandlerError;
use crate::panics::catch;

/// A request that was rejected, signed or not, for [`on_rejected`](crate::ReceiverBuilder::on_rejected).
#[derive(Clone, Copy, Debug)]
pub struct Rejected<'a> {
    rejection: &'a Rejection,
    body: &'a [u8],
}

impl<'a> Rejected<'a> {
    /// Why it was rejected.
    pub fn rejection(&self) -> &'a Rejection {
        self.rejection
    }

    /// The AppID that the body claims, to find out whose secret is missing. Anyone can claim any AppID.
    /// Each call reads the body again.
    pub fn claimed_appid(&self) -> Option<String> {
        claimed_appid(self.body)
    }

    pub(crate) fn new(rejection: &'a Rejection, body: &'a [u8]) -> Self {
        Self { rejection, body }
    }
}

/// A signed request that was rejected, for [`on_quarantine`](crate::ReceiverBuilder::on_quarantine). It
/// may still be a recording, and ZEGOCLOUD gives up after six attempts: keep the body where a person can
/// look at it.
#[derive(Clone, Copy)]
pub struct Quarantined<'a> {
    rejection: &'a Rejection,
    body: &'a [u8],
}

impl<'a> Quarantined<'a> {
    /// Why it was rejected.
    pub fn rejection(&self) -> &'a Rejection {
        self.rejection
    }

    /// The body as it arrived. It holds a signature that may still be fresh, so keep it private.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    pub(crate) fn new(rejection: &'a Rejection, body: &'a [u8]) -> Self {
        Self { rejection, body }
    }
}

/// Without the body, which holds a signature.
impl fmt::Debug for Quarantined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quarantined")
            .field("rejection", &self.rejection)
            .finish_non_exhaustive()
    }
}

/// A verified callback and how it was answered, for
/// [`on_delivery`](crate::ReceiverBuilder::on_delivery).
#[derive(Clone, Copy, Debug)]
pub struct Delivered<'a> {
    pub(crate) callback: &'a RecordCallback,
    pub(crate) verdict: Verdict,
    pub(crate) attempt: Option<u32>,
    pub(crate) error: Option<&'a HandlerError>,
    pub(crate) elapsed: Option<Duration>,
}

impl<'a> Delivered<'a> {
    /// The callback.
    pub fn callback(&self) -> &'a RecordCallback {
        self.callback
    }

    /// How it was answered: [`Handled`](Verdict::Handled), [`Duplicate`](Verdict::Duplicate),
    /// [`HandlerFailed`](Verdict::HandlerFailed) and so on.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Which run of the handler this was, from 1; `None` if it was not run.
    pub fn attempt(&self) -> Option<u32> {
        self.attempt
    }

    /// The error that the handler returned. A panic and a timeout have none.
    pub fn error(&self) -> Option<&'a HandlerError> {
        self.error
    }

    /// How long the handler ran; `None` if it was not run.
    pub fn elapsed(&self) -> Option<Duration> {
        self.elapsed
    }

    pub(crate) fn not_run(callback: &'a RecordCallback, verdict: Verdict) -> Self {
        Self {
            callback,
            verdict,
            attempt: None,
            error: None,
            elapsed: None,
        }
    }
}

/// A callback that was verified and not answered with success, and that did not come again within the
/// time in which ZEGOCLOUD retries, for [`on_abandoned`](crate::ReceiverBuilder::on_abandoned): unless
/// another receiver got it, it is lost.
#[derive(Clone, Debug)]
pub struct Abandoned {
    callback: RecordCallback,
    verdict: Verdict,
}

impl Abandoned {
    /// The callback.
    pub fn callback(&self) -> &RecordCallback {
        &self.callback
    }

    /// How it was answered the last time.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub(crate) fn new(callback: RecordCallback, verdict: Verdict) -> Self {
        Self { callback, verdict }
    }
}

type Hook<T> = Box<dyn Fn(&T) + Send + Sync>;
type RejectedHook = Box<dyn Fn(&Rejected<'_>) + Send + Sync>;
type QuarantineHook = Box<dyn Fn(&Quarantined<'_>) + Send + Sync>;
type DeliveryHook = Box<dyn Fn(&Delivered<'_>) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) rejected: Option<RejectedHook>,
    pub(crate) quarantine: Option<QuarantineHook>,
    pub(crate) delivery: Option<DeliveryHook>,
    pub(crate) ignored: Option<Hook<OtherEvent>>,
    pub(crate) abandoned: Option<Hook<Abandoned>>,
}

impl Hooks {
    pub(crate) fn rejected(&self, rejected: &Rejected<'_>) {
        if let Some(hook) = &self.rejected {
            let _ = catch(|| hook(rejected));
        }
    }

    pub(crate) fn quarantine(&self, quarantined: &Quarantined<'_>) {
        if let Some(hook) = &self.quarantine {
            let _ = catch(|| hook(quarantined));
        }
    }

    pub(crate) fn delivery(&self, delivered: &Delivered<'_>) {
        if let Some(hook) = &self.delivery {
            let _ = catch(|| hook(delivered));
        }
    }

    pub(crate) fn ignored(&self, event: &OtherEvent) {
        if let Some(hook) = &self.ignored {
            let _ = catch(|| hook(event));
        }
    }

    pub(crate) fn abandoned(&self, abandoned: &Abandoned) {
        if let Some(hook) = &self.abandoned {
            let _ = catch(|| hook(abandoned));
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("rejected", &self.rejected.is_some())
            .field("quarantine", &self.quarantine.is_some())
            .field("delivery", &self.delivery.is_some())
            .field("ignored", &self.ignored.is_some())
            .field("abandoned", &self.abandoned.is_some())
            .finish()
    }
}

/// The AppID that a body claims.
pub(crate) fn claimed_appid(body: &[u8]) -> Option<String> {
    Some(Unverified::read(body).ok()?.appid()?.to_owned())
}
