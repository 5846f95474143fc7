//! Commits a verified callback to an inbox.
//!
//! Unlike a handler, a commit needs no task of its own: if the client disconnects it is done or not, and
//! the retry finds out.

use zego_record_core::{RecordCallback, Rejection, Verdict, Verified};

use super::verify::{authenticate, judge};
use crate::background;
use crate::guard::{Binding, ReplayCheck};
use crate::hooks::{Abandoned, Delivered};
use crate::inbox::{Accepted, InboxReceiver, NewCallback};
use crate::receiver::Inner;
use crate::store::StoreError;
use crate::telemetry::CallbackSpan;

pub(crate) async fn accept(receiver: &InboxReceiver, body: &[u8]) -> Verdict {
    let inner = &*receiver.receiver.0;
    background::ensure_running(&receiver.receiver);
    let verifier = inner.verifier();
    let authenticated = match authenticate(inner, &verifier, body) {
        Ok(authenticated) => authenticated,
        Err(rejection) => return rejection.verdict(),
    };
    // Only now, so that what is not signed takes nobody's place.
    let Some(_permit) = inner.concurrency.try_acquire() else {
        return inner.unanswered(Verdict::Busy);
    };
    let check = inner.replay_check(&verifier, &authenticated);
    match verifier.check_content(authenticated) {
        Ok(Verified::Record(callback)) => commit(receiver, callback, check, body).await,
        other => {
            // Bound before its content is judged, as everything that is signed and fresh.
            if let Some(check) = check {
                match receiver.bind(&check).await {
                    Ok(false) => {}
                    Ok(true) => return inner.reject_reused(body),
                    Err(error) => return inner.unreachable(&error),
                }
            }
            match judge(inner, other, body) {
                Ok(_) => Verdict::Ignored,
                Err(rejection) => rejection.verdict(),
            }
        }
    }
}

async fn commit(
    receiver: &InboxReceiver,
    callback: RecordCallback,
    check: Option<ReplayCheck>,
    body: &[u8],
) -> Verdict {
    let span = CallbackSpan::new(&callback);
    let committed = span.cover(async {
        let verdict = receiver.commit(&callback, check).await;
        if let Some(verdict) = verdict {
            span.verdict(verdict);
            receiver.publish(callback, verdict);
        }
        verdict
    });
    match committed.await {
        Some(verdict) => verdict,
        None => receiver.receiver.0.reject_reused(body),
    }
}

impl InboxReceiver {
    /// `None` if the signature is bound to other content.
    async fn commit(
        &self,
        callback: &RecordCallback,
        check: Option<ReplayCheck>,
    ) -> Option<Verdict> {
        let inner = &*self.receiver.0;
        let mut new = NewCallback::new(callback);
        if let Some(check) = check {
            if inner.guard.observes_only() {
                // Apart from the commit, which must not depend on it.
                if let Err(error) = self.bind(&check).await {
                    return Some(self.store_failed(&error));
                }
            } else {
                new = new.with_replay_check(check);
            }
        }
        let verdict = match self.inbox.accept(&new).await {
            Ok(Accepted::Conflict) => {
                inner.telemetry.signature_reused(false);
                return None;
            }
            Ok(Accepted::New) => Verdict::Accepted,
            Ok(Accepted::Known) => Verdict::Duplicate,
            Ok(Accepted::Running) => Verdict::InProgress,
            Err(error) => self.store_failed(&error),
        };
        inner.telemetry.verified();
        Some(verdict)
    }

    /// Whether the signature is bound to other content, and that is not only to be observed.
    async fn bind(&self, check: &ReplayCheck) -> Result<bool, StoreError> {
        let inner = &*self.receiver.0;
        if self.inbox.bind(check).await? != Binding::Conflict {
            return Ok(false);
        }
        let observes_only = inner.guard.observes_only();
        inner.telemetry.signature_reused(observes_only);
        Ok(!observes_only)
    }

    fn store_failed(&self, error: &StoreError) -> Verdict {
        self.receiver.0.telemetry.store_failed(error);
        Verdict::StoreUnavailable
    }

    fn publish(&self, callback: RecordCallback, verdict: Verdict) {
        let inner = &*self.receiver.0;
        let delivered = Delivered::not_run(&callback, verdict);
        inner.telemetry.delivered(&delivered);
        inner.config.hooks.delivery(&delivered);
        let key = callback.delivery_key();
        if verdict.is_success() {
            inner.missing_retries.succeeded(&key);
        } else if verdict != Verdict::InProgress {
            let failure = Abandoned::new(callback, verdict);
            background::watch_for_retry(&self.receiver, key, failure);
        }
    }
}

impl Inner {
    fn reject_reused(&self, body: &[u8]) -> Verdict {
        self.reject_body(Rejection::signature_reused(), body)
            .verdict()
    }

    fn unreachable(&self, error: &StoreError) -> Verdict {
        self.telemetry.store_failed(error);
        self.unanswered(Verdict::StoreUnavailable)
    }

    /// Counts an answer to a request that is not known to be a callback.
    fn unanswered(&self, verdict: Verdict) -> Verdict {
        self.telemetry.answered(verdict);
        verdict
    }
}
