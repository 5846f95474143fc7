//! Compares a response with the expected one.

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, Method};
use serde_json::Value;
use zego_record_core::Verdict;

use super::reply::{Handled, Reply};
use super::{CaseRequest, Mode};

/// How much of a body is shown in a report.
const SHOWN: usize = 400;

/// What was expected and what came, if they differ.
pub(super) fn compare(
    mode: Mode,
    request: &CaseRequest,
    reply: &Reply,
) -> Option<(String, String)> {
    let verdict = match (mode, request.verdict()) {
        (Mode::Extractor, Verdict::Duplicate) => Verdict::Handled,
        (_, verdict) => verdict,
    };
    let (status, body) = (verdict.status(), verdict.body());
    let by_router = mode == Mode::Extractor && verdict == Verdict::MethodNotAllowed;
    let without_body = by_router || request.method == Method::HEAD;
    let mut problems = Vec::new();
    if reply.status != status || (!without_body && reply.body != body.as_bytes()) {
        problems.push(format!("{} {}", reply.status, shorten(&reply.body)));
    }
    if let Some(headers) = &reply.headers {
        problems.extend(header_problem(headers, verdict, without_body));
    }
    problems.extend(handler_problems(&reply.handled, verdict, request));
    let handler = if verdict == Verdict::Handled {
        "run once"
    } else {
        "not run"
    };
    let expected = format!("{status} {body} ({verdict}: the handler is {handler})");
    (!problems.is_empty()).then(|| (expected, problems.join("; ")))
}

/// A request in one line, its body shortened.
pub(super) fn describe(request: &CaseRequest) -> String {
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

fn handler_problems(handled: &Handled, verdict: Verdict, request: &CaseRequest) -> Vec<String> {
    let (runs, callbacks, complete) = match handled {
        Handled::Unknown => return Vec::new(),
        Handled::Count(runs) => (*runs, &[][..], false),
        Handled::Callbacks {
            callbacks,
            complete,
        } => (callbacks.len(), &callbacks[..], *complete),
    };
    let expected = usize::from(verdict == Verdict::Handled);
    if runs != expected {
        return vec![format!("the handler was run {runs} times, not {expected}")];
    }
    let mut problems = Vec::new();
    for callback in callbacks {
        for (name, expected) in request.fields() {
            match callback.get(name) {
                Some(got) if equal(expected, got) => {}
                None if !complete => {}
                got => {
                    let got = got.unwrap_or(&Value::Null);
                    problems.push(format!("{name} is {got}, not {expected}"));
                }
            }
        }
    }
    problems
}

/// As JSON has it, where 3 and 3.0 are one number.
fn equal(a: &Value, b: &Value) -> bool {
    a == b || ((a.is_f64() || b.is_f64()) && a.as_f64().is_some() && a.as_f64() == b.as_f64())
}

/// The beginning of a body, with unprintable characters escaped.
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
