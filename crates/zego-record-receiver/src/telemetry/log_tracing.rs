//! Events and spans through `tracing`.
//!
//! Every text that a peer has written is cut to a length.

use std::error::Error;
use std::fmt;

use tracing::field::{Empty, display};
use tracing::{Instrument, Span, error, info, info_span, warn};
use zego_record_core::{RecordCallback, Rejection, Verdict};

use crate::panics::catch;
use crate::store::StoreError;

/// What to filter by; the same for everything that this project logs.
const TARGET: &str = "zego_record";

/// In characters. Longer than any name that ZEGOCLOUD was seen to send, except for URLs.
const MAX_TEXT: usize = 256;

/// One span for every callback that has passed verification and the replay check, a child of the
/// request's.
#[derive(Clone, Debug)]
pub(crate) struct CallbackSpan(Span);

impl CallbackSpan {
    pub(crate) fn new(callback: &RecordCallback) -> Self {
        let span = catch(|| {
            info_span!(
                target: TARGET,
                "zego_record_callback",
                event_id = Empty,
                appid = Empty,
                stream = Empty,
                attempt = Empty,
                verdict = Empty,
            )
        });
        let span = span.unwrap_or_else(Span::none);
        if !span.is_disabled() {
            span.record("event_id", display(Cut(&callback.event_id())));
            span.record("appid", display(Cut(callback.appid())));
            span.record("stream", display(Cut(callback.stream_alias())));
        }
        Self(span)
    }

    pub(crate) fn attempt(&self, attempt: u32) {
        self.0.record("attempt", attempt);
    }

    pub(crate) fn verdict(&self, verdict: Verdict) {
        self.0.record("verdict", verdict.code());
    }

    pub(crate) async fn cover<F: Future>(&self, work: F) -> F::Output {
        work.instrument(self.0.clone()).await
    }
}

pub(crate) fn rejected(rejection: &Rejection, claimed_appid: Option<&str>, suppressed: u64) {
    let verdict = rejection.verdict().code();
    let claimed_appid = claimed_appid.map(|appid| display(Cut(appid)));
    if rejection.is_signed() {
        error!(target: TARGET, verdict, claimed_appid, suppressed, "rejected a signed request: {rejection}");
    } else {
        warn!(target: TARGET, verdict, claimed_appid, suppressed, "rejected: {rejection}");
    }
}

pub(crate) fn ignored(event: &str, suppressed: u64) {
    info!(target: TARGET, event = %Cut(event), suppressed, "ignored an event other than record");
}

pub(crate) fn signature_observed(suppressed: u64) {
    error!(
        target: TARGET,
        suppressed,
        "a signature came a second time with other content, and was only observed"
    );
}

pub(crate) fn clock_suspected(seconds: i64, suppressed: u64) {
    error!(
        target: TARGET,
        seconds,
        suppressed,
        "signed requests keep being rejected for the same offset: the clock of this machine is probably wrong"
    );
}

pub(crate) fn clock_trusted(suppressed: u64) {
    info!(target: TARGET, suppressed, "signed requests are fresh again");
}

pub(crate) fn store_failed(part: &'static str, failure: &StoreError, suppressed: u64) {
    let cause = catch(|| failure.source().map(ToString::to_string));
    let cause = cause.flatten().unwrap_or_default();
    error!(target: TARGET, part, cause = %Cut(&cause), suppressed, "{failure}");
}

pub(crate) fn delivered(verdict: Verdict, error: Option<&str>, suppressed: u64) {
    let error = error.map(|error| display(Cut(error)));
    match verdict {
        Verdict::Handled => info!(target: TARGET, suppressed, "handled"),
        Verdict::Accepted => info!(target: TARGET, suppressed, "accepted"),
        Verdict::Duplicate => info!(target: TARGET, suppressed, "a duplicate, not handled again"),
        Verdict::InProgress => {
            info!(target: TARGET, suppressed, "a retry of what is still being handled");
        }
        Verdict::Discarded => info!(target: TARGET, suppressed, error, "the handler discarded it"),
        Verdict::HandlerFailed if error.is_none() => {
            error!(target: TARGET, suppressed, "the handler panicked, ZEGOCLOUD will try again");
        }
        Verdict::HandlerFailed => {
            error!(target: TARGET, suppressed, error, "the handler failed, ZEGOCLOUD will try again");
        }
        Verdict::HandlerTimeout => {
            error!(
                target: TARGET,
                suppressed,
                "the handler was not done in time and was stopped, ZEGOCLOUD will try again"
            );
        }
        other => {
            error!(
                target: TARGET,
                verdict = other.code(),
                suppressed,
                "could not be handled, ZEGOCLOUD will try again"
            );
        }
    }
}

pub(crate) fn abandoned(callback: &RecordCallback, verdict: Verdict, suppressed: u64) {
    error!(
        target: TARGET,
        event_id = %Cut(&callback.event_id()),
        stream = %Cut(callback.stream_alias()),
        verdict = verdict.code(),
        suppressed,
        "ZEGOCLOUD did not send this callback again: unless another receiver got it, it is lost"
    );
}

pub(crate) fn completion_given_up(suppressed: u64) {
    error!(
        target: TARGET,
        suppressed,
        "a delivery is done and the store cannot record it: a retry may run the handler again"
    );
}

/// A text of at most [`MAX_TEXT`] characters in one line.
struct Cut<'a>(&'a str);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars().take(MAX_TEXT) {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                fmt::Write::write_char(f, character)?;
            }
        }
        if self.0.chars().nth(MAX_TEXT).is_some() {
            f.write_str("..")?;
        }
        Ok(())
    }
}
