//! How often the handler has run, as far as the receiver reports it.

use bytes::Bytes;
use zego_record_core::WireForm;

use super::client::Client;
use super::report::Report;
use crate::send::{Kind, Reply, describe};

const HIDDEN: &str = "the answers do not show whether the handler ran";
const BY_HAND: &str = "report the number of runs by a URL and name it with --runs-url";

pub(super) async fn forgeries_run_nothing(
    client: &Client,
    before: Option<u64>,
    report: &mut Report,
) {
    let (name, promise) = ("forgeries-run", "no forgery runs the handler");
    // The two genuine recordings whose signatures were reused.
    let genuine = 2;
    match before {
        Some(before) => match client.runs_since(before, genuine).await {
            Some(runs) => compare(name, promise, runs, genuine, report),
            None => unreadable(name, promise, report),
        },
        None => hidden(client, name, promise, report),
    }
}

pub(super) async fn check(client: &Client, report: &mut Report) {
    let (name, promise) = ("runs-once", "duplicates and retries run the handler once");
    let before = client.runs().await;
    let request = client.recording().build();
    let requests = [
        request.clone(),
        request.clone(),
        request.resigned(client.now()),
    ];
    let mut delivered = Ok(());
    for request in requests {
        delivered = delivered.and(client.deliver(request).await);
    }
    judge(client, (name, promise), before, 1, delivered, report).await;

    let (name, promise) = (
        "concurrent",
        "duplicates at the same time run the handler once",
    );
    let before = client.runs().await;
    let request = client.recording().build();
    let deliver = || client.deliver(request.clone());
    let (one, two, three, four) = tokio::join!(deliver(), deliver(), deliver(), deliver());
    let delivered = one.and(two).and(three).and(four);
    judge(client, (name, promise), before, 1, delivered, report).await;

    let (name, promise) = (
        "runs-each-file",
        "every file of one stream runs the handler",
    );
    let before = client.runs().await;
    let one = client.recording();
    let mut delivered = Ok(());
    for file in ["mp4", "m3u8", "flv"] {
        let url = format!("https://vod.example.com/{}.{file}", client.nonce(1));
        let request = one.clone().nonce(client.nonce(2)).field("replay_url", url);
        delivered = delivered.and(client.deliver(request.build()).await);
    }
    judge(client, (name, promise), before, 3, delivered, report).await;
}

/// Whether requests that are no delivery run the handler, as far as that is visible.
pub(super) async fn no_delivery(client: &Client, report: &mut Report) {
    let (name, promise) = (
        "other-events",
        "another event is answered, and runs nothing",
    );
    let before = client.runs().await;
    let compose = client.recording().field("event", "compose").build();
    let reply = client.once(compose.into_http()).await;
    match ran(client, before).await {
        Some(true) => report.failed(name, promise, "the handler has run for it".to_owned()),
        _ if reply.is_success() || client.is_rejection(&reply, Kind::Probe) => {
            report.passed(name, promise);
        }
        _ => report.failed(name, promise, describe(&reply.shortened())),
    }

    let (name, promise) = ("get", "a GET runs nothing");
    let before = client.runs().await;
    let signed = client.recording().wire_form(WireForm::Form).build();
    let query = String::from_utf8_lossy(signed.body()).into_owned();
    let mut request = http::Request::new(Bytes::new());
    if let Ok(uri) = format!("/?{query}").parse() {
        *request.uri_mut() = uri;
    }
    let reply = client.once(request).await;
    match (&reply, ran(client, before).await) {
        (_, Some(true)) => report.failed(name, promise, "the handler has run for it".to_owned()),
        (reply, None) if reply.is_success() => {
            let reason = format!("it is answered {}", describe(&reply.clone().shortened()));
            report.not_visible(name, promise, &reason, BY_HAND);
        }
        // Many a good receiver knows no GET and answers 404, 405 or 501.
        (Reply::Answer { .. }, _) => report.passed(name, promise),
        _ => report.failed(name, promise, describe(&reply.shortened())),
    }
}

/// Whether the handler has run since; `None` if the receiver does not report it.
async fn ran(client: &Client, before: Option<u64>) -> Option<bool> {
    Some(client.settled_runs().await? > before?)
}

async fn judge(
    client: &Client,
    (name, promise): (&'static str, &'static str),
    before: Option<u64>,
    expected: u64,
    delivered: Result<(), String>,
    report: &mut Report,
) {
    match (before, delivered) {
        (_, Err(reason)) => report.failed(name, promise, format!("not delivered: {reason}")),
        (Some(before), Ok(())) => match client.runs_since(before, expected).await {
            Some(runs) => compare(name, promise, runs, expected, report),
            None => unreadable(name, promise, report),
        },
        (None, Ok(())) => hidden(client, name, promise, report),
    }
}

fn hidden(client: &Client, name: &'static str, promise: &'static str, report: &mut Report) {
    if client.reports_runs() {
        unreadable(name, promise, report);
    } else {
        report.not_visible(name, promise, HIDDEN, BY_HAND);
    }
}

fn compare(
    name: &'static str,
    promise: &'static str,
    runs: u64,
    expected: u64,
    report: &mut Report,
) {
    if runs == expected {
        report.passed(name, promise);
    } else {
        report.failed(name, promise, format!("{runs} runs instead of {expected}"));
    }
}

fn unreadable(name: &'static str, promise: &'static str, report: &mut Report) {
    let reason = "--runs-url gave no number: a 2xx with digits alone or {\"runs\": N} is expected";
    report.failed(name, promise, reason.to_owned());
}
