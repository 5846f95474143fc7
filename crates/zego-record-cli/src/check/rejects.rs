//! What a good receiver rejects: every forgery.

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use zego_record_core::WireForm;
use zego_record_testkit::{RequestBuilder, Signing};

use super::client::Client;
use super::extension;
use super::report::Report;
use crate::send::Kind;

type Probe = (&'static str, Request<Bytes>);

pub(super) async fn check(client: &Client, report: &mut Report) {
    for (name, promise, kind, probes) in [
        (
            "unsigned",
            "nothing unsigned is accepted",
            Kind::Unsigned,
            unsigned(client),
        ),
        (
            "bad-signature",
            "no wrong signature is accepted",
            Kind::BadSignature,
            bad(client),
        ),
        (
            "stale",
            "what was signed an hour ago is rejected",
            Kind::Stale,
            vec![(
                "an hour old",
                client.recording().age(3_600).build().into_http(),
            )],
        ),
        (
            "future",
            "what is signed for an hour from now is rejected",
            Kind::Future,
            vec![(
                "an hour ahead",
                client.recording().age(-3_600).build().into_http(),
            )],
        ),
        (
            "malformed",
            "what is no callback is rejected, without a failure",
            Kind::Probe,
            malformed(client),
        ),
        (
            "ambiguous",
            "what can be read in two ways is rejected",
            Kind::Probe,
            vec![(
                "stream_alias twice",
                client
                    .recording()
                    .add_field("stream_alias", "another")
                    .build()
                    .into_http(),
            )],
        ),
        (
            "incomplete",
            "a recording without its URL is rejected",
            Kind::Probe,
            vec![(
                "no replay_url",
                client.recording().without("replay_url").build().into_http(),
            )],
        ),
        (
            "oversize",
            "a body of one mebibyte is rejected",
            Kind::Oversize,
            vec![(
                "1 MiB",
                client
                    .recording()
                    .field("padding", "x".repeat(1 << 20))
                    .build()
                    .into_http(),
            )],
        ),
    ] {
        let mut outcomes = Vec::new();
        for (probe, request) in probes {
            outcomes.push((probe.to_owned(), client.reject(request, kind).await));
        }
        report.judge(name, promise, outcomes);
    }
    reused(client, report).await;
    extended(client, report).await;
}

fn unsigned(client: &Client) -> Vec<Probe> {
    let json = || client.recording().wire_form(WireForm::Json);
    let form = || client.recording().wire_form(WireForm::Form);
    let probes = [
        (
            "no signature",
            client.recording().signing(Signing::Unsigned),
        ),
        ("no signature in JSON", json().signing(Signing::Unsigned)),
        ("no signature in a form", form().signing(Signing::Unsigned)),
        ("an empty one", client.recording().field("signature", "")),
        ("null", json().field_json("signature", "null")),
        ("no nonce", client.recording().without("nonce")),
        ("no timestamp", client.recording().without("timestamp")),
    ];
    probes
        .map(|(name, builder)| (name, builder.build().into_http()))
        .into()
}

fn bad(client: &Client) -> Vec<Probe> {
    let base = || client.recording();
    let signed = |change: &dyn Fn(&str) -> String| {
        let builder = base();
        let request = builder.build();
        let signature = change(request.signature().unwrap_or_default());
        request
            .tampered(|builder| builder.field("signature", signature))
            .into_http()
    };
    let json = |value: &str| {
        let builder: RequestBuilder = base().wire_form(WireForm::Json);
        builder.field_json("signature", value).build().into_http()
    };
    let without_secret = {
        let (timestamp, nonce) = (client.now().get().to_string(), client.nonce(2));
        let mut parts = [timestamp.as_str(), nonce.as_str()];
        parts.sort_unstable();
        let digest = <sha1::Sha1 as sha1::Digest>::digest(parts.concat());
        let builder = base().timestamp(timestamp.as_str()).nonce(nonce.as_str());
        builder
            .field("signature", hex::encode(digest))
            .build()
            .into_http()
    };
    let swap_last = |signature: &str| {
        let last = if signature.ends_with('0') { '1' } else { '0' };
        let kept = signature.get(..39).unwrap_or_default();
        format!("{kept}{last}")
    };
    vec![
        (
            "another secret",
            base().signing(Signing::OtherSecret).build().into_http(),
        ),
        ("an empty secret", without_secret),
        ("one digit wrong", signed(&swap_last)),
        (
            "cut to 8 digits",
            signed(&|signature| signature.get(..8).unwrap_or_default().to_owned()),
        ),
        ("forty zeros", signed(&|_| "0".repeat(40))),
        ("true", json("true")),
        ("zero", json("0")),
        ("an array", json("[]")),
    ]
}

fn malformed(client: &Client) -> Vec<Probe> {
    let raw = |body: &'static str| {
        let mut request = Request::new(Bytes::from_static(body.as_bytes()));
        *request.method_mut() = http::Method::POST;
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        request
    };
    let smallest = i64::MIN.to_string();
    vec![
        ("an empty body", raw("")),
        ("a word", raw("hello")),
        ("half an object", raw("{\"signature\":")),
        ("an array", raw("[1]")),
        (
            "the smallest timestamp",
            client
                .recording()
                .field("timestamp", smallest)
                .build()
                .into_http(),
        ),
        (
            "a short signature",
            client
                .recording()
                .field("signature", "ab")
                .build()
                .into_http(),
        ),
    ]
}

/// Who has seen a genuine callback has its timestamp, nonce and signature.
async fn reused(client: &Client, report: &mut Report) {
    let captured = client.recording().build();
    let delivered = client.deliver(captured.clone()).await;
    let forged = captured
        .tampered(|builder| builder.field("replay_url", "https://attacker.example.com/x.mp4"));
    let outcome = match delivered {
        Ok(()) => client.reject(forged.into_http(), Kind::Tampered).await,
        Err(reason) => Err(format!("the genuine one was not delivered: {reason}")),
    };
    let outcomes = vec![("other content under a seen signature".to_owned(), outcome)];
    report.judge(
        "tampered",
        "a seen signature carries no other content",
        outcomes,
    );

    // Two times of ten digits: swapped they have the same signature, and both are fresh.
    let now = client.now().get();
    let (time, other) = (now.to_string(), (now - 1).to_string());
    let captured = client
        .recording()
        .timestamp(time.as_str())
        .nonce(other.as_str())
        .build();
    let outcome = match client.deliver(captured).await {
        Ok(()) => {
            let swapped = client.recording().timestamp(other).nonce(time);
            client
                .reject(swapped.build().into_http(), Kind::Tampered)
                .await
        }
        Err(reason) => Err(format!("the genuine one was not delivered: {reason}")),
    };
    let outcomes = vec![("timestamp and nonce swapped".to_owned(), outcome)];
    report.judge(
        "swapped",
        "a signature counts once, however it is split",
        outcomes,
    );
}

async fn extended(client: &Client, report: &mut Report) {
    let (name, promise) = (
        "length-extension",
        "a signature that was extended is rejected",
    );
    match extension::forged(client) {
        Some(forged) => {
            let outcome = client.reject(forged, Kind::Probe).await;
            let outcomes = vec![("a nonce with SHA-1's padding in it".to_owned(), outcome)];
            report.judge(name, promise, outcomes);
        }
        None => report.not_visible(
            name,
            promise,
            "the secret sorts after every nonce, so its signatures cannot be extended",
            "accept only nonces of letters, digits, - and _",
        ),
    }
}
