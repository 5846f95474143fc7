//! Runs the golden table against an app.

use std::fmt;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, Method, Request};
use serde_json::Value;
use zego_record_core::{UnixSeconds, Verdict};

use super::differences::{Difference, Differences};
use super::reply::Reply;
use super::{CaseRequest, cases};

/// How much of a body is shown in a report.
const SHOWN: usize = 400;

/// Runs the golden table against an app whose handler always succeeds.
///
/// The app under test is any async function that takes a request and returns what can become a
/// [`Reply`]. It may keep its state between runs: each run has content of its own.
#[derive(Clone)]
#[must_use = "nothing is sent before check() or assert()"]
pub struct Conformance<'a, C> {
    secret: &'a str,
    clock: C,
    mode: Mode,
    seed: u64,
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
        }
    }

    /// How far the app goes.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Repeats the run whose report shows this seed; with the same clock, byte for byte. An app that
    /// has kept its state since takes it all for duplicates.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sends every request of the table and compares the answers.
    ///
    /// # Errors
    ///
    /// All the differences, if there are any.
    ///
    /// # Panics
    ///
    /// If the secret is none that a receiver could be configured with.
    pub async fn check<S, R>(&self, mut send: S) -> Result<Report, Differences>
    where
        S: AsyncFnMut(Request<Bytes>) -> R,
        R: Into<Reply>,
    {
        let mut report = Report {
            cases: cases().len(),
            requests: 0,
            handler_seen: 0,
        };
        let mut differences = Vec::new();
        for case in cases() {
            let requests = case.requests(self.secret, (self.clock)(), self.seed);
            for (index, request) in requests.iter().enumerate() {
                let reply: Reply = send(request.to_http()).await.into();
                report.requests += 1;
                report.handler_seen += usize::from(reply.handled.is_some());
                differences.extend(self.compare(request, &reply).map(|(expected, got)| {
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
            differences,
        })
    }

    /// Sends every request of the table and compares the answers.
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

    /// What was due and what came, if they differ.
    fn compare(&self, request: &CaseRequest, reply: &Reply) -> Option<(String, String)> {
        let verdict = match (self.mode, request.verdict()) {
            (Mode::Extractor, Verdict::Duplicate) => Verdict::Handled,
            (_, verdict) => verdict,
        };
        let (status, body) = (verdict.status(), verdict.body());
        let by_router = self.mode == Mode::Extractor && verdict == Verdict::MethodNotAllowed;
        let without_body = by_router || request.method == Method::HEAD;
        let mut problems = Vec::new();
        if reply.status != status || (!without_body && reply.body != body.as_bytes()) {
            problems.push(format!("{} {}", reply.status, shorten(&reply.body)));
        }
        if let Some(headers) = &reply.headers {
            problems.extend(header_problem(headers, verdict, without_body));
        }
        if let Some(handled) = &reply.handled {
            problems.extend(handler_problems(handled, verdict, request));
        }
        let handler = if verdict == Verdict::Handled {
            "run once"
        } else {
            "not run"
        };
        let expected = format!("{status} {body} ({verdict}: the handler is {handler})");
        (!problems.is_empty()).then(|| (expected, problems.join("; ")))
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

fn header_problem(headers: &HeaderMap, verdict: Verdict, without_body: bool) -> Option<String> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    };
    let (allow, content_type) = (text(ALLOW), text(CONTENT_TYPE));
    if verdict == Verdict::MethodNotAllowed && !allow.split(',').any(|m| m.trim() == "POST") {
        Some(format!("the header Allow is {allow:?}, not \"POST\""))
    } else if !without_body && !content_type.starts_with("text/plain") {
        Some(format!(
            "the header Content-Type is {content_type:?}, not \"text/plain\""
        ))
    } else {
        None
    }
}

fn handler_problems(handled: &[Value], verdict: Verdict, request: &CaseRequest) -> Vec<String> {
    let expected = usize::from(verdict == Verdict::Handled);
    if handled.len() != expected {
        return vec![format!(
            "the handler was run {} times, not {expected}",
            handled.len()
        )];
    }
    let fields = request.fields().iter();
    let pairs =
        fields.flat_map(|(name, due)| handled.iter().map(move |got| (name, due, &got[name])));
    pairs
        .filter(|(_, due, got)| !equal(due, got))
        .map(|(name, due, got)| format!("{name} is {got}, not {due}"))
        .collect()
}

/// As JSON has it, where 3 and 3.0 are one number.
fn equal(a: &Value, b: &Value) -> bool {
    a == b || ((a.is_f64() || b.is_f64()) && a.as_f64().is_some() && a.as_f64() == b.as_f64())
}

fn describe(request: &CaseRequest) -> String {
    let content_type = match request.content_type.as_str() {
        "" => "without a Content-Type",
        content_type => content_type,
    };
    let (length, body) = (request.body().len(), shorten(request.body()));
    format!(
        "{} of {length} bytes, {content_type}: {body}",
        request.method
    )
}

/// The beginning of a body, with all that is not printable escaped.
fn shorten(body: &[u8]) -> String {
    let (shown, dots) = match body.get(..SHOWN) {
        Some(shown) if body.len() > SHOWN => (shown, ".."),
        _ => (body, ""),
    };
    let mut text = String::new();
    for chunk in shown.utf8_chunks() {
        let printable = |character: char| match character.is_control() {
            true => character.escape_default().to_string(),
            false => character.to_string(),
        };
        text.extend(chunk.valid().chars().map(printable));
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text + dots
}
