//! What became of a request: from its attempts to a verdict, without a socket or a clock.

use std::time::Duration;

use serde::Serialize;

use super::plan::Rejected;
use super::schedule::Schedule;

/// This much of an answer's body is kept.
const BODY_KEPT: usize = 60;

/// Why a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A genuine callback that comes first, because a rejection proves something only where a genuine
    /// callback is accepted.
    Control,
    /// A callback as ZEGOCLOUD sends it.
    Callback,
    /// What the options made of a callback, if it is expected to be rejected.
    Probe,
    /// The same callback a second time.
    Duplicate,
    /// Other content under the signature of a callback that was delivered.
    Tampered,
    /// Signed an hour ago.
    Stale,
    /// Signed for an hour from now.
    Future,
    /// Wrongly signed.
    BadSignature,
    /// Without a signature.
    Unsigned,
    /// With a signature that is an empty string.
    EmptySignature,
    /// With a signature that is null.
    NullSignature,
    /// Longer than a receiver should take.
    Oversize,
}

impl Kind {
    /// Its name in the output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Callback => "callback",
            Self::Probe => "probe",
            Self::Duplicate => "duplicate",
            Self::Tampered => "tampered",
            Self::Stale => "stale",
            Self::Future => "future",
            Self::BadSignature => "bad_signature",
            Self::Unsigned => "unsigned",
            Self::EmptySignature => "empty_signature",
            Self::NullSignature => "null_signature",
            Self::Oversize => "oversize",
        }
    }

    /// Whether a receiver must take it. Such a request is repeated by the schedule until it does; any
    /// other is sent once, and must be rejected.
    pub const fn must_arrive(self) -> bool {
        matches!(self, Self::Control | Self::Callback | Self::Duplicate)
    }
}

impl From<Rejected> for Kind {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Stale => Self::Stale,
            Rejected::Future => Self::Future,
            Rejected::BadSignature => Self::BadSignature,
            Rejected::Unsigned => Self::Unsigned,
            Rejected::EmptySignature => Self::EmptySignature,
            Rejected::NullSignature => Self::NullSignature,
            Rejected::AsAsked => Self::Probe,
            Rejected::Oversize => Self::Oversize,
        }
    }
}

/// What came back for one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// An HTTP answer: its status and the beginning of its body.
    Answer {
        /// The status code.
        status: u16,
        /// The body, or its beginning.
        body: String,
        /// Where a redirect leads to.
        #[serde(skip_serializing_if = "Option::is_none")]
        location: Option<String>,
    },
    /// The connection was closed on purpose before the answer was read.
    Dropped,
    /// No answer came in time.
    TimedOut,
    /// No connection could be made.
    Unreachable(String),
    /// The connection failed before the answer was complete.
    Broken(String),
}

impl Reply {
    /// An answer that is no redirect.
    pub fn answer(status: u16, body: impl Into<String>) -> Self {
        Self::Answer {
            status,
            body: body.into(),
            location: None,
        }
    }

    /// With as much of the body as is worth keeping of each of a million answers.
    pub(crate) fn shortened(self) -> Self {
        match self {
            Self::Answer {
                status,
                body,
                location,
            } => Self::Answer {
                status,
                body: body.chars().take(BODY_KEPT).collect(),
                location,
            },
            other => other,
        }
    }

    /// Whether ZEGOCLOUD would take it for success: any 2xx, whatever the body.
    pub const fn is_success(&self) -> bool {
        matches!(
            self,
            Self::Answer {
                status: 200..=299,
                ..
            }
        )
    }
}

/// One attempt; times are counted from the beginning of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// When the request was sent.
    pub sent: Duration,
    /// When it was known what became of it.
    pub ended: Duration,
    /// What became of it.
    pub reply: Reply,
}

impl Attempt {
    /// An attempt.
    pub const fn new(sent: Duration, ended: Duration, reply: Reply) -> Self {
        Self { sent, ended, reply }
    }
}

/// What became of a request in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It had to arrive, and was answered with a 2xx.
    Delivered,
    /// It had to arrive, and six attempts were in vain.
    Lost,
    /// It had to be rejected, and was.
    Rejected,
    /// It had to be rejected, and was answered with a 2xx.
    WronglyAccepted,
    /// It had to be rejected, and nobody has answered: that proves nothing.
    Unanswered,
    /// It had to be rejected, and the answer is neither a success nor a rejection: that proves nothing.
    Unproven,
    /// The run was ended before its outcome was known.
    Unfinished,
}

impl Verdict {
    /// Its name in the output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Lost => "lost",
            Self::Rejected => "rejected",
            Self::WronglyAccepted => "wrongly_accepted",
            Self::Unanswered => "unanswered",
            Self::Unproven => "unproven",
            Self::Unfinished => "unfinished",
        }
    }

    /// Whether all is as it should be.
    pub const fn is_fine(self) -> bool {
        matches!(self, Self::Delivered | Self::Rejected)
    }
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Send it again at this time.
    Retry(Duration),
    /// That was all.
    Done(Verdict),
}

/// The statuses by which a receiver rejects a request: 400, 401, 403 and 422, and those that are added.
/// Any other, 404 or 500 for example, may as well mean that nobody has looked at the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedStatuses(Vec<u16>);

impl RejectedStatuses {
    /// The usual ones and `others`.
    pub fn with(others: &[u16]) -> Self {
        Self([&[400, 401, 403, 422], others].concat())
    }

    /// Whether this status proves that a request of this kind was rejected.
    pub fn prove(&self, kind: Kind, status: u16) -> bool {
        self.0.contains(&status) || (kind == Kind::Oversize && status == 413)
    }
}

impl Default for RejectedStatuses {
    fn default() -> Self {
        Self::with(&[])
    }
}

/// Decides what follows after these attempts, of which there is one at least.
///
/// ```
/// use std::time::Duration;
/// use zego_record_cli::send::{Attempt, Kind, Next, RejectedStatuses, Reply, Schedule, Verdict, next};
///
/// let attempt = |status| {
///     Attempt::new(Duration::ZERO, Duration::ZERO, Reply::answer(status, ""))
/// };
/// let schedule = Schedule::new(1.0).unwrap();
/// let rejected = RejectedStatuses::default();
/// let next = |kind, attempts: &[Attempt]| next(kind, attempts, schedule, &rejected);
/// let retry = Next::Retry(Duration::from_secs(2));
/// assert_eq!(next(Kind::Callback, &[attempt(500)]), retry);
/// assert_eq!(next(Kind::Callback, &[attempt(500), attempt(204)]), Next::Done(Verdict::Delivered));
/// assert_eq!(next(Kind::Tampered, &[attempt(200)]), Next::Done(Verdict::WronglyAccepted));
/// assert_eq!(next(Kind::Tampered, &[attempt(404)]), Next::Done(Verdict::Unproven));
/// ```
pub fn next(
    kind: Kind,
    attempts: &[Attempt],
    schedule: Schedule,
    rejected: &RejectedStatuses,
) -> Next {
    let Some(last) = attempts.last() else {
        return Next::Retry(Duration::ZERO);
    };
    if !kind.must_arrive() {
        return Next::Done(judge_rejection(kind, &last.reply, rejected));
    }
    if last.reply.is_success() {
        return Next::Done(Verdict::Delivered);
    }
    match schedule.retry_at(attempts.len(), last.sent, last.ended) {
        Some(at) => Next::Retry(at),
        None => Next::Done(Verdict::Lost),
    }
}

fn judge_rejection(kind: Kind, reply: &Reply, rejected: &RejectedStatuses) -> Verdict {
    match reply {
        reply if reply.is_success() => Verdict::WronglyAccepted,
        Reply::Answer { status, .. } if rejected.prove(kind, *status) => Verdict::Rejected,
        Reply::Answer { .. } => Verdict::Unproven,
        // Who is sent too much may hang up without a word.
        Reply::Broken(_) if matches!(kind, Kind::Oversize) => Verdict::Rejected,
        Reply::Dropped | Reply::TimedOut | Reply::Unreachable(_) | Reply::Broken(_) => {
            Verdict::Unanswered
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Reply {
        Reply::answer(status, "")
    }

    fn attempts(replies: &[Reply]) -> Vec<Attempt> {
        let second = Duration::from_secs(1);
        let attempt = |reply: &Reply| Attempt::new(second, second, reply.clone());
        replies.iter().map(attempt).collect()
    }

    #[test]
    fn what_must_arrive_is_repeated_until_any_2xx() {
        let retry = |seconds: u64| Next::Retry(Duration::from_secs(1 + seconds));
        let failures = [
            answer(500),
            answer(409),
            answer(302),
            Reply::TimedOut,
            Reply::Dropped,
            Reply::Broken("reset".to_owned()),
        ];
        let schedule = Schedule::new(1.0).unwrap();
        let rejected = RejectedStatuses::default();
        let next = |kind, attempts: &[Attempt]| next(kind, attempts, schedule, &rejected);
        for kind in [Kind::Control, Kind::Callback, Kind::Duplicate] {
            for (count, gap) in [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32)] {
                let attempts = attempts(&failures[..count]);
                assert_eq!(next(kind, &attempts), retry(gap), "{count}");
            }
            let lost = Next::Done(Verdict::Lost);
            assert_eq!(next(kind, &attempts(&failures)), lost);
            for status in [200, 201, 204, 299] {
                let attempts = attempts(&[answer(199), answer(300), answer(status)]);
                let delivered = Next::Done(Verdict::Delivered);
                assert_eq!(next(kind, &attempts), delivered, "{status}");
            }
        }
    }

    #[test]
    fn what_must_be_rejected_is_sent_once() {
        let broken = || Reply::Broken("reset".to_owned());
        let unreachable = || Reply::Unreachable("connection rejected".to_owned());
        for (kind, reply, expected) in [
            (Kind::Unsigned, answer(401), Verdict::Rejected),
            (Kind::BadSignature, answer(403), Verdict::Rejected),
            (Kind::BadSignature, answer(500), Verdict::Unproven),
            (Kind::Probe, answer(404), Verdict::Unproven),
            (Kind::Probe, answer(405), Verdict::Unproven),
            (Kind::EmptySignature, answer(301), Verdict::Unproven),
            (Kind::NullSignature, answer(413), Verdict::Unproven),
            (Kind::EmptySignature, answer(418), Verdict::Rejected),
            (Kind::Stale, answer(200), Verdict::WronglyAccepted),
            (Kind::Future, answer(204), Verdict::WronglyAccepted),
            (Kind::Tampered, answer(200), Verdict::WronglyAccepted),
            (Kind::Tampered, answer(422), Verdict::Rejected),
            (Kind::Tampered, broken(), Verdict::Unanswered),
            (Kind::Unsigned, unreachable(), Verdict::Unanswered),
            (Kind::Unsigned, Reply::TimedOut, Verdict::Unanswered),
            (Kind::Oversize, answer(413), Verdict::Rejected),
            (Kind::Oversize, broken(), Verdict::Rejected),
            (Kind::Oversize, unreachable(), Verdict::Unanswered),
            (Kind::Oversize, answer(200), Verdict::WronglyAccepted),
        ] {
            let schedule = Schedule::new(1.0).unwrap();
            let rejected = RejectedStatuses::with(&[418]);
            let attempts = attempts(std::slice::from_ref(&reply));
            let next = next(kind, &attempts, schedule, &rejected);
            assert_eq!(next, Next::Done(expected), "{kind:?} {reply:?}");
        }
    }

    #[test]
    fn a_run_is_fine_only_if_nothing_failed() {
        for (verdict, fine) in [
            (Verdict::Delivered, true),
            (Verdict::Rejected, true),
            (Verdict::Lost, false),
            (Verdict::WronglyAccepted, false),
            (Verdict::Unanswered, false),
            (Verdict::Unproven, false),
            (Verdict::Unfinished, false),
        ] {
            assert_eq!(verdict.is_fine(), fine, "{verdict:?}");
        }
    }
}
