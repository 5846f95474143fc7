//! Runs the golden table against an app.

use std::fmt;

use bytes::Bytes;
use http::Request;
use zego_record_core::UnixSeconds;

use super::compare::{compare, describe};
use super::differences::{Cause, Difference, Differences};
use super::reply::{Handled, Reply};
use super::{Case, cases};

/// Runs the golden table against an app whose handler always succeeds.
///
/// The app under test is any async function that takes a request and returns what can become a
/// [`Reply`]. It may keep its state between runs: each run has content of its own.
///
/// ```
/// # use zego_record_core::UnixSeconds;
/// # use zego_record_testkit::golden::{Conformance, Differences, Mode};
/// # async fn test(send: impl AsyncFn(http::Request<bytes::Bytes>) -> (u16, String)) -> Result<(), Differences> {
/// let now = || UnixSeconds::from(std::time::SystemTime::now());
/// let report = Conformance::new("secret", now)
///     .path("/zego/record")
///     .skip("method_head") // answered by the proxy in front
///     .check(send)
///     .await?;
/// println!("{} requests", report.requests);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent before check() or assert()"]
pub struct Conformance<'a, C> {
    secret: &'a str,
    clock: C,
    mode: Mode,
    seed: u64,
    path: String,
    skipped: Vec<&'static str>,
}

/// How far an app goes with a callback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// With delivery guarantees: a delivery that was handled is not handled again, and requests of other methods
    /// are answered by the app itself.
    #[default]
    Receiver,
    /// An extractor alone, with a replay guard and no store of deliveries: a duplicate is handled
    /// again. Requests of other methods are answered by the framework's router, so that only status
    /// and `Allow` are compared.
    Extractor,
}

/// What a run without differences has covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many cases were run.
    pub cases: usize,
    /// How many requests were sent.
    pub requests: usize,
    /// For how many of them it was known what the handler was run with.
    pub handler_seen: usize,
}

/// Runs the golden table against an app with delivery guarantees: short for
/// [`Conformance::new`]`(secret, clock).`[`assert`](Conformance::assert)`(send)`.
///
/// # Panics
///
/// If anything differs, with a report of all the differences.
pub async fn assert_conformant<S, R>(secret: &str, clock: impl Fn() -> UnixSeconds, send: S)
where
    S: AsyncFnMut(Request<Bytes>) -> R,
    R: Into<Reply>,
{
    Conformance::new(secret, clock).assert(send).await;
}

impl<'a, C: Fn() -> UnixSeconds> Conformance<'a, C> {
    /// For an app with this secret and this clock, and otherwise with default settings.
    pub fn new(secret: &'a str, clock: C) -> Self {
        Self {
            secret,
            clock,
            mode: Mode::default(),
            seed: fastrand::u64(..),
            path: "/".to_owned(),
            skipped: Vec::new(),
        }
    }

    /// How far the app goes.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Repeats the run whose report shows this seed; with the same clock, byte for byte. An app that
    /// has kept its state since then sees only duplicates.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sends the requests to this path, such as `/zego/record`, instead of `/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Leaves out the case with this name, for an app that differs there on purpose.
    ///
    /// # Panics
    ///
    /// If the table has no such case: it would otherwise go unnoticed that a case was renamed.
    pub fn skip(mut self, case: &str) -> Self {
        let known = cases().iter().map(Case::name).find(|name| *name == case);
        let name = known.unwrap_or_else(|| panic!("the golden table has no case named {case:?}"));
        self.skipped.push(name);
        self
    }

    /// Sends every request of the table and compares the responses.
    ///
    /// # Errors
    ///
    /// All the differences, if there are any.
    ///
    /// # Panics
    ///
    /// If the secret is none that a receiver could be configured with, or the path not a valid URI.
    pub async fn check<S, R>(&self, mut send: S) -> Result<Report, Differences>
    where
        S: AsyncFnMut(Request<Bytes>) -> R,
        R: Into<Reply>,
    {
        let mut report = Report {
            cases: 0,
            requests: 0,
            handler_seen: 0,
        };
        let mut differences = Vec::new();
        let mut cause = Cause::default();
        let skipped = |case: &&Case| self.skipped.contains(&case.name());
        for case in cases().iter().filter(|case| !skipped(case)) {
            report.cases += 1;
            let requests = case.requests(self.secret, (self.clock)(), self.seed);
            for (index, request) in requests.iter().enumerate() {
                let reply: Reply = send(request.to_http_at(&self.path)).await.into();
                report.requests += 1;
                report.handler_seen += usize::from(!matches!(reply.handled, Handled::Unknown));
                cause.look_at(request.verdict(), &reply);
                differences.extend(compare(self.mode, request, &reply).map(|(expected, got)| {
                    Difference {
                        case: case.name(),
                        rule: case.rule(),
                        step: index + 1,
                        steps: requests.len(),
                        sent: describe(request),
                        expected,
                        got,
                    }
                }));
            }
        }
        if differences.is_empty() {
            return Ok(report);
        }
        Err(Differences {
            cases: report.cases,
            seed: self.seed,
            cause: cause.advice(),
            differences,
        })
    }

    /// Sends every request of the table and compares the responses.
    ///
    /// # Panics
    ///
    /// If anything differs, with a report of all the differences.
    pub async fn assert<S, R>(&self, send: S)
    where
        S: AsyncFnMut(Request<Bytes>) -> R,
        R: Into<Reply>,
    {
        if let Err(differences) = self.check(send).await {
            panic!("{differences}");
        }
    }
}

/// Without the secret.
impl<C> fmt::Debug for Conformance<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance")
            .field("mode", &self.mode)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
