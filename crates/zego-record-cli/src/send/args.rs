//! The options of `send`.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::callbacks::Callbacks;
use super::fault::FaultShare;
use super::schedule::Schedule;
use super::sender::Pacing;
use super::verdict::RejectedStatuses;
use crate::captured::Captured;
use crate::content::ContentArgs;
use crate::error::Error;
use crate::io::Io;
use crate::secrets::SecretArgs;
use crate::tls::TlsArgs;

/// Send callbacks as ZEGOCLOUD does: signed, with its retries, and with faults of your choice
///
/// Any 2xx is a success, whatever the body, so any receiver can be tried. Anything else is repeated
/// 2, 4, 8, 16 and 32 seconds after the request before it; after six attempts the callback is lost.
///
/// Exit status 1 if something was lost that had to be delivered, or if something was accepted that had
/// to be rejected. Before anything that must be rejected, a genuine callback is sent and must be
/// delivered; and only 400, 401, 403 and 422 (413 for oversize) prove a rejection: a receiver that is
/// not there, or fails, has checked nothing.
///
/// Faults that must not keep a callback from being delivered: drop-answer (the first connection is
/// closed before its answer is read), duplicate (sent twice), reorder (sent after later ones),
/// chunked (no length announced), slow (the body takes two seconds, which count for --timeout).
///
/// Faults that must be rejected, each sent once: stale and future (signed an hour off), bad-signature,
/// unsigned (the signature absent, then empty, then null), oversize (one mebibyte), and tamper: after a delivery, other content is sent under the same
/// timestamp, nonce and signature. ZEGOCLOUD's signature does not cover the body, so only a receiver that
/// remembers signatures can reject it; any other will be found to accept it wrongly.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: three callbacks, and the whole retry schedule in half a second
  zego-record send http://127.0.0.1:3000/zego/record --count 3 --speed 120

Example: a test under bad conditions, repeatable by its seed
  zego-record send http://127.0.0.1:3000/zego/record --count 10000 --concurrency 32 --seed 7 \\
      --fault duplicate:0.1 --fault drop-answer:0.05 --fault tamper:0.02 --speed 20

With --json: {\"url\", \"seed\", \"speed\", \"count\", \"fine\", \"interrupted\", \"unfinished\", \"totals\":
{\"delivered\", \"delivered_at\": [6 numbers], \"lost\", \"rejected\", \"wrongly_accepted\", \"unanswered\", \"unproven\",
\"repeats\", \"body_not_1\"},
\"latency_ms\": {\"answers\", \"p50\", \"p99\", \"max\"} or null, \"deliveries\": [{\"callback\", \"kind\",
\"verdict\", \"attempts\": [{\"sent_ms\", \"took_ms\", \"reply\"}]}]}")]
pub struct SendArgs {
    /// Where to send to, http or https
    pub(super) url: String,

    #[command(flatten)]
    secret: SecretArgs,

    #[command(flatten)]
    content: ContentArgs,

    /// Send the captured body in FILE, signed anew, instead of made-up recordings
    #[arg(long, value_name = "FILE", conflicts_with_all = ["vendor"])]
    body: Option<PathBuf>,

    /// How many callbacks
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(super) count: u64,

    /// How many callbacks to begin in a second [default: as fast as answers come]
    #[arg(long, value_name = "PER SECOND")]
    pub(super) rate: Option<f64>,

    /// How many requests may run at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,

    /// Decides which callback meets which fault and in which order [default: random, and printed].
    /// Nonces and files differ in each run, since a receiver would take them for a replay
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=MAX_SEED))]
    pub(super) seed: Option<u64>,

    /// What must come of the callbacks [default: delivered, or rejected where an option replaces or
    /// removes the signature]
    #[arg(long, value_enum)]
    expect: Option<Expect>,

    /// Another status that proves a rejection, besides 400, 401, 403 and 422. Repeatable
    #[arg(long, value_name = "STATUS")]
    rejected_status: Vec<u16>,

    /// A header to send along, as in 'Authorization: Bearer x'. Repeatable
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<Header>,

    #[command(flatten)]
    pub(super) tls: TlsArgs,

    /// How much faster than the real schedule to retry; 1 is the real one
    #[arg(long, default_value_t = 1.0)]
    pub(super) speed: f64,

    /// How many seconds to wait for an answer; ZEGOCLOUD's own limit is not documented
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    timeout: f64,

    /// Sign a retry anew instead of sending the same timestamp, nonce and signature again
    #[arg(long)]
    resign: bool,

    /// What to do to callbacks, and to which share of them, such as duplicate:0.1. Repeatable
    #[arg(long = "fault", value_name = "FAULT[:SHARE]")]
    pub(super) faults: Vec<FaultShare>,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// What JSON can carry without losing digits.
pub(super) const MAX_SEED: u64 = (1 << 53) - 1;

/// What must come of the callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Expect {
    /// Each is answered with a 2xx, at the latest by a retry
    Delivered,
    /// Each is rejected; it is sent once, after a genuine one that must be delivered
    Rejected,
}

/// A header of one's own.
#[derive(Clone, Debug)]
pub(crate) struct Header(HeaderName, HeaderValue);

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = "expected a header as in 'Name: value'";
        let (name, value) = text.split_once(':').ok_or(problem)?;
        let name = name.trim().parse().map_err(|_| problem)?;
        Ok(Self(name, value.trim().parse().map_err(|_| problem)?))
    }
}

pub(crate) fn header_map(headers: &[Header]) -> HeaderMap {
    headers
        .iter()
        .map(|Header(name, value)| (name.clone(), value.clone()))
        .collect()
}

impl SendArgs {
    pub(super) fn headers(&self) -> HeaderMap {
        header_map(&self.header)
    }

    pub(super) fn rejected_statuses(&self) -> RejectedStatuses {
        RejectedStatuses::with(&self.rejected_status)
    }

    /// What must be rejected is not to be reported as lost.
    pub(super) fn expects_rejection(&self) -> bool {
        match self.expect {
            Some(expect) => expect == Expect::Rejected,
            None => self.content.breaks_signature(),
        }
    }

    pub(super) fn callbacks(&self, io: &mut Io<'_>) -> Result<Callbacks, Error> {
        let secret = self.secret.for_signing(io)?;
        let captured = self.body.as_deref().map(read_captured).transpose()?;
        self.content.check(captured.is_some())?;
        Ok(Callbacks::new(secret, self.content.clone(), captured))
    }

    pub(super) fn concurrency(&self) -> usize {
        usize::from(self.concurrency)
    }

    pub(super) fn pacing(&self) -> Result<Pacing, Error> {
        let schedule = Schedule::new(self.speed)
            .ok_or_else(|| Error::new("--speed must be positive: 1 is the real schedule"))?;
        let timeout = Duration::try_from_secs_f64(self.timeout)
            .ok()
            .filter(|timeout| !timeout.is_zero())
            .ok_or_else(|| Error::new("--timeout must be a positive number of seconds"))?;
        if self
            .rate
            .is_some_and(|rate| !(rate.is_finite() && rate > 0.0))
        {
            return Err(Error::new(
                "--rate must be a positive number of callbacks per second",
            ));
        }
        Ok(Pacing {
            resign: self.resign,
            rate: self.rate,
            concurrency: self.concurrency(),
            timeout,
            rejected: self.rejected_statuses(),
            ..Pacing::new(schedule)
        })
    }
}

fn read_captured(path: &Path) -> Result<Captured, Error> {
    let body = fs::read(path).map_err(|error| {
        Error::with_source(format!("cannot read the body {}", path.display()), error)
    })?;
    Captured::parse(&body).map_err(|cause| {
        let message = format!("cannot take the body {} apart", path.display());
        Error::with_source(message, cause)
    })
}
