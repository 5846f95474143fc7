//! Verifies a body: signature and time, then the replay check, then the content.

use std::time::Duration;

use zego_record_core::{Authenticated, Rejection, Unverified, Verified, Verifier};

use crate::guard::{Binding, ReplayCheck};
use crate::hooks::Quarantined;
use crate::quarantine::signature_of;
use crate::receiver::Inner;
use crate::telemetry::Count;

/// How much longer than any timestamp can be fresh a signature is remembered.
pub(crate) const REPLAY_MARGIN: Duration = Duration::from_secs(60);

pub(super) async fn verify(inner: &Inner, body: &[u8]) -> Result<Verified, Rejection> {
    let verifier = inner.verifier();
    let authenticated = authenticate(inner, &verifier, body)?;
    // Before the content is judged: a signature that came with another event, or with a body that is
    // rejected below, must not carry a forged recording afterwards.
    if let Some(check) = inner.replay_check(&verifier, &authenticated)
        && inner.is_replay(&check).await
    {
        return Err(inner.reject_body(Rejection::signature_reused(), body));
    }
    let verified = judge(inner, verifier.check_content(authenticated), body)?;
    if let Verified::Record(_) = verified {
        inner.telemetry.verified();
    }
    Ok(verified)
}

/// Checks signature and time.
pub(super) fn authenticate<'a>(
    inner: &Inner,
    verifier: &Verifier,
    body: &'a [u8],
) -> Result<Authenticated<'a>, Rejection> {
    let authenticated = Unverified::read(body)
        .and_then(|unverified| verifier.authenticate(unverified, inner.config.clock.now()))
        .map_err(|rejection| {
            inner.suspect_clock(&rejection, body);
            inner.reject_body(rejection, body)
        })?;
    inner.trust_clock();
    Ok(authenticated)
}

/// Reports what is ignored or rejected for its content.
pub(super) fn judge(
    inner: &Inner,
    checked: Result<Verified, Rejection>,
    body: &[u8],
) -> Result<Verified, Rejection> {
    match checked {
        Ok(Verified::Record(callback)) => Ok(Verified::Record(callback)),
        Ok(Verified::Other(_)) if inner.config.reject_other_events => {
            Err(inner.reject_body(Rejection::unexpected_event(), body))
        }
        Ok(Verified::Other(event)) => {
            inner.telemetry.ignored(&event);
            inner.config.hooks.ignored(&event);
            Ok(Verified::Other(event))
        }
        Err(rejection) => Err(inner.reject_body(rejection, body)),
    }
}

impl Inner {
    /// What a guard is asked, unless replay protection is off.
    pub(super) fn replay_check(
        &self,
        verifier: &Verifier,
        authenticated: &Authenticated<'_>,
    ) -> Option<ReplayCheck> {
        self.guard.is_on().then(|| {
            ReplayCheck::new(
                *authenticated.signature().as_bytes(),
                authenticated.delivery_key().content_digest(),
                keep_for(verifier),
            )
        })
    }

    /// Whether the signature was seen before with other content, and that is not only to be observed.
    async fn is_replay(&self, check: &ReplayCheck) -> bool {
        let (binding, failure) = self.guard.bind(check).await;
        if let Some(failure) = failure {
            self.telemetry.guard_fell_back(&failure);
        }
        if binding != Binding::Conflict {
            return false;
        }
        let observes_only = self.guard.observes_only();
        self.telemetry.signature_reused(observes_only);
        !observes_only
    }

    pub(super) fn reject_body(&self, rejection: Rejection, body: &[u8]) -> Rejection {
        if rejection.is_signed() && self.config.hooks.quarantine.is_some() {
            if self.quarantine.takes(body, self.config.clock.monotonic()) {
                self.config
                    .hooks
                    .quarantine(&Quarantined::new(&rejection, body));
            } else {
                self.telemetry.count(Count::QuarantineSuppressed, 1);
            }
        }
        self.reject(rejection, body)
    }

    fn suspect_clock(&self, rejection: &Rejection, body: &[u8]) {
        if let Some(offset) = rejection.clock_offset()
            && let Some(signature) = signature_of(body)
            && let Some(skew) = self.skew.rejected(signature, offset)
        {
            self.telemetry.clock_skew(Some(skew));
        }
    }

    fn trust_clock(&self) {
        if self.skew.accepted() {
            self.telemetry.clock_skew(None);
        }
    }
}

/// One signature can belong to two timestamps, with digits moved between timestamp and nonce, and the
/// later of them can be fresh for longer: until both tolerances have passed.
pub(crate) fn keep_for(verifier: &Verifier) -> Duration {
    verifier
        .past_tolerance()
        .saturating_add(verifier.future_tolerance())
        .saturating_add(REPLAY_MARGIN)
}
