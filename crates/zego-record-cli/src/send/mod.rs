//! `send`, the fake ZEGOCLOUD: callbacks as it sends them, its retries, and what can go wrong on the way.
//!
//! A callback that is not answered with a 2xx, whatever the body, is sent again by ZEGOCLOUD's schedule
//! and lost after six attempts. So `send` works against any receiver, in any language.
//!
//! # What each fault expects
//!
//! | fault | what is done | what must come of it |
//! |---|---|---|
//! | `drop-answer` | the first connection is closed, in half of the cases when the request was written and in the others when the answer has arrived; a receiver may abandon a request whose client has gone | delivered by a retry |
//! | `duplicate` | sent a second time, in half of the cases at once, as far as `--concurrency` allows, and in the others after the delivery | both delivered; whether the handler ran twice cannot be seen from here |
//! | `reorder` | up to eight later callbacks overtake it | delivered |
//! | `chunked` | the body comes in four pieces, its length is not announced | delivered |
//! | `slow` | the body takes two seconds; a receiver should wait for five | delivered |
//! | `tamper` | after the delivery, other content comes under the same timestamp, nonce and signature | rejected |
//! | `stale`, `future` | signed an hour ago, or for an hour from now | rejected |
//! | `bad-signature` | signed with another secret | rejected |
//! | `unsigned` | three requests: the signature is absent, empty, null | rejected |
//! | `oversize` | the body is one mebibyte, sixteen times the usual limit | rejected, or the connection is closed |
//!
//! What must be rejected is sent once, after a genuine *control* callback was delivered; if that is not
//! delivered, the run ends there and fails. 400, 401, 403 and 422, for `oversize` also 413, and each
//! `--rejected-status` prove a rejection. It is *wrongly accepted* if it is answered with a 2xx, *unproven*
//! if it is answered with anything else, and *unanswered* if no answer came; each of them fails the run.
//!
//! A tampered request carries a signature that is right: ZEGOCLOUD's signature does not cover the body. Only
//! a receiver that remembers what it has seen under each signature can reject it, so a plain receiver will
//! be found to accept it wrongly. That is no mistake of `send`.
//!
//! # JSON
//!
//! With `--json` it prints one document:
//!
//! | member | content |
//! |---|---|
//! | `url`, `seed`, `speed`, `count` | what was asked for |
//! | `fine` | boolean: exit status 0 |
//! | `interrupted`, `unfinished` | whether it was ended early, and how many callbacks were not finished |
//! | `totals` | `delivered`, `delivered_at` (a list by attempt, the first one first), `lost`, `rejected`, `wrongly_accepted`, `unanswered`, `unproven`, `repeats`, `body_not_1` |
//! | `latency_ms` | `answers`, `p50`, `p99`, `max` over all answers but those to slow bodies, or null |
//! | `deliveries` | list of `{"callback", "kind", "verdict", "attempts"}` |
//!
//! `kind` is one of `control`, `callback`, `probe` (with `--expect rejected`), `duplicate`, `tampered`, `stale`, `future`, `bad_signature`, `unsigned`,
//! `empty_signature`, `null_signature`, `oversize`; `verdict` one of `delivered`, `lost`, `rejected`, `wrongly_accepted`,
//! `unanswered`, `unproven`, `unfinished`. An attempt is
//! `{"sent_ms", "took_ms", "reply"}` with the time since the run began, and as reply
//! `{"answer": {"status", "body", "location"}}` (the last one for a redirect), `"dropped"`, `"timed_out"`, `{"unreachable": why}` or `{"broken": why}`.

mod args;
mod body;
mod callbacks;
mod fault;
mod plan;
mod progress;
mod schedule;
mod sender;
mod summary;
#[cfg(test)]
mod tests;
mod transport;
mod verdict;

use std::future::Future;
use std::time::{Duration, SystemTime};

use tokio::runtime::Builder;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cli::Status;
use crate::error::Error;
use crate::interrupt::interrupted;
use crate::io::{Io, wrap};

pub use args::SendArgs;
pub(crate) use args::{Header, header_map};
pub use callbacks::Callbacks;
pub(crate) use callbacks::nonce;
pub use fault::{Fault, FaultShare};
pub use plan::{DropAnswer, Duplicate, Pace, Plan, Rejected, Step};
pub use schedule::{MAX_ATTEMPTS, Schedule};
pub use sender::{Delivery, Pacing, Sender};
pub use summary::Summary;
pub(crate) use summary::describe;
pub use transport::{HttpTransport, Outgoing, Transport};
pub use verdict::{Attempt, Kind, Next, RejectedStatuses, Reply, Verdict, next};

pub(crate) fn run(args: &SendArgs, io: &mut Io<'_>) -> Result<Status, Error> {
    let callbacks = args.callbacks(io)?;
    let transport = HttpTransport::new(&args.url, args.concurrency(), &args.tls)?;
    let transport = transport.with_headers(args.headers());
    args.tls.warn(Some(&args.url), io)?;
    let pacing = args.pacing()?;
    let seed = args
        .seed
        .unwrap_or_else(|| fastrand::u64(..=args::MAX_SEED));
    let mut plan = Plan::new(seed, args.count, &args.faults);
    if args.expects_rejection() {
        plan = plan.expecting_rejection();
    }
    let asked = summary::Asked {
        url: transport.url().to_string(),
        seed,
        speed: args.speed,
        count: args.count,
        rate: args.rate,
    };
    // Said at the beginning, so that a run that is killed can be repeated as well.
    let plural = if asked.count == 1 { "" } else { "s" };
    writeln!(
        io.err,
        "sending {} callback{plural} to {} with seed {seed}",
        asked.count, asked.url
    )?;

    // One thread is enough for a client, and leaves the others to the receiver.
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::with_source("cannot start the runtime", error))?;
    let (deliveries, was_interrupted) = runtime.block_on(async {
        let sender = Sender::new(transport, callbacks, pacing, SystemTime::now().into());
        let progress = sender.progress();
        let mut was_interrupted = false;
        let stop = async {
            // Without a handler for signals, the default one ends the process.
            if interrupted().await.is_err() {
                std::future::pending::<()>().await;
            }
            was_interrupted = true;
        };
        let running = sender.run(&plan, stop);
        let deliveries = watch(running, &progress, args.count, io).await?;
        Ok::<_, Error>((deliveries, was_interrupted))
    })?;

    let summary = Summary::new(asked, was_interrupted, deliveries);
    if args.json {
        io.print_json(&summary)?;
    } else {
        summary.print(io)?;
    }
    Ok(Status::of_check(summary.is_fine()))
}

/// Reports the first failure at once; on a terminal it also shows a line of progress until the run has
/// ended, and wipes it.
async fn watch<T>(
    running: impl Future<Output = T>,
    progress: &progress::Progress,
    planned: u64,
    io: &mut Io<'_>,
) -> Result<T, Error> {
    let wipe = if io.progress { "\r\u{1b}[K" } else { "" };
    let mut reported = false;
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(100));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = std::pin::pin!(running);
    loop {
        tokio::select! {
            outcome = &mut running => {
                write!(io.err, "{wipe}")?;
                io.err.flush()?;
                return Ok(outcome);
            }
            failure = progress.first_failure(), if !reported => {
                writeln!(io.err, "{wipe}{}", wrap(failure, io.width, 2))?;
                reported = true;
            }
            _ = ticks.tick(), if io.progress => {
                write!(io.err, "{wipe}{}", progress.line(planned, began.elapsed()))?;
                io.err.flush()?;
            }
        }
    }
}
