//! What a good receiver accepts: everything that ZEGOCLOUD may send.

use zego_record_core::{Vendor, WireForm};
use zego_record_testkit::RequestBuilder;

use super::client::Client;
use super::report::Report;
use crate::send::{DropAnswer, Pace};

type Probe = (String, RequestBuilder);

pub(super) async fn check(client: &Client, report: &mut Report) {
    for (name, promise, probes) in [
        ("json", "JSON is read", vec![probe("JSON", json(client))]),
        (
            "json-numbers",
            "numbers keep their digits",
            vec![
                probe("numbers", json(client).numbers()),
                probe(
                    "a nonce of 19 digits as a number",
                    json(client).nonce(client.nonce(1)).numbers(),
                ),
            ],
        ),
        (
            "form",
            "a form is read",
            vec![probe(
                "a form",
                client.recording().wire_form(WireForm::Form),
            )],
        ),
        (
            "encoded-json",
            "JSON that is percent-encoded is read",
            vec![probe(
                "encoded",
                client.recording().wire_form(WireForm::EncodedJson),
            )],
        ),
        (
            "vendors",
            "the extra_params of every vendor are taken",
            vendors(client),
        ),
        (
            "nonces",
            "every kind of nonce is sorted right",
            nonces(client),
        ),
        (
            "content-type",
            "the body decides, not its Content-Type",
            content_types(client),
        ),
        (
            "optional-fields",
            "optional and unknown fields do not matter",
            optional(client),
        ),
        (
            "values",
            "live %2F and +, and any language, are taken",
            values(client),
        ),
    ] {
        let mut outcomes = Vec::new();
        for (probe, builder) in probes {
            outcomes.push((probe, client.deliver(builder.build()).await));
        }
        report.judge(name, promise, outcomes);
    }
    transport(client, report).await;
}

fn probe(name: impl Into<String>, builder: RequestBuilder) -> Probe {
    (name.into(), builder)
}

fn json(client: &Client) -> RequestBuilder {
    client.recording().wire_form(WireForm::Json)
}

fn vendors(client: &Client) -> Vec<Probe> {
    let vendors = [
        ("Tencent", Some(Vendor::Tencent)),
        ("Wangsu", Some(Vendor::Wangsu)),
        ("Huawei", Some(Vendor::Huawei)),
        ("Aliyun, without extra_params", None),
    ];
    let probes = vendors.map(|(name, vendor)| probe(name, client.recording().vendor(vendor)));
    probes.into()
}

fn nonces(client: &Client) -> Vec<Probe> {
    let kinds = [(0, "9 digits"), (1, "19 digits"), (3, "10 alphanumerics")];
    let mut probes: Vec<_> = kinds
        .map(|(kind, name)| probe(name, client.recording().nonce(client.nonce(kind))))
        .into();
    probes.push(probe(
        "before every timestamp",
        client.recording().nonce(format!("1{}", client.nonce(1))),
    ));
    probes.push(probe(
        "after every timestamp",
        client.recording().nonce(format!("z{}", client.nonce(3))),
    ));
    probes
}

fn content_types(client: &Client) -> Vec<Probe> {
    let types = [
        Some("application/json"),
        Some("application/x-www-form-urlencoded"),
        Some("text/plain"),
        None,
    ];
    let types = types.map(|content_type| {
        let name = format!("labelled {}", content_type.unwrap_or("nothing"));
        probe(name, client.recording().content_type(content_type))
    });
    types.into()
}

fn optional(client: &Client) -> Vec<Probe> {
    let recording = || client.recording();
    vec![
        probe(
            "extra_params null",
            recording().field_json("extra_params", "null"),
        ),
        probe("extra_params absent", recording().without("extra_params")),
        probe("extra_params empty", recording().field("extra_params", "")),
        probe(
            "extra_params in plain words",
            recording().field("extra_params", "extra_params"),
        ),
        probe("an unknown field", recording().field("new_field", "new")),
    ]
}

fn values(client: &Client) -> Vec<Probe> {
    let recording = || client.recording();
    let signed = "https://vod.example.com/a%2Fb+c.mp4?sign=x%2By%3D%22&t=1";
    vec![
        probe(
            "a signed URL",
            recording().field("replay_url", format!("{signed}{}", client.nonce(1))),
        ),
        probe(
            "a stream in Chinese",
            recording().field("stream_alias", format!("课程-{}", client.nonce(1))),
        ),
        probe(
            "a stream with an emoji",
            recording().field("stream_alias", format!("🎬-{}", client.nonce(1))),
        ),
    ]
}

async fn transport(client: &Client, report: &mut Report) {
    let mut outcomes = Vec::new();
    for (name, pace) in [
        ("chunked", Pace::Chunked),
        ("slow, over two seconds", Pace::Slow),
    ] {
        let outcome = client
            .deliver_as(client.recording().build(), pace, None)
            .await;
        outcomes.push((name.to_owned(), outcome));
    }
    report.judge("transport", "chunked and slow bodies are read", outcomes);

    let mut outcomes = Vec::new();
    for (name, when) in [
        ("while it worked", DropAnswer::WhenSent),
        ("unread", DropAnswer::WhenAnswered),
    ] {
        let request = client.recording().build();
        let outcome = client.deliver_as(request, Pace::Whole, Some(when)).await;
        outcomes.push((format!("answer dropped {name}"), outcome));
    }
    report.judge(
        "dropped-answer",
        "a retry after a dropped answer is delivered",
        outcomes,
    );

    let request = client.recording().build();
    let first = client.deliver(request.clone()).await;
    let again = client.deliver(request.clone()).await;
    let resigned = client.deliver(request.resigned(client.now())).await;
    let outcomes = [
        ("first", first),
        ("byte for byte", again),
        ("signed anew", resigned),
    ];
    let outcomes = outcomes
        .map(|(name, outcome)| (name.to_owned(), outcome))
        .into();
    report.judge(
        "duplicates",
        "a duplicate is answered like the first",
        outcomes,
    );

    let mut outcomes = Vec::new();
    let one = client.recording();
    for file in ["mp4", "m3u8", "flv"] {
        let url = format!("https://vod.example.com/{}.{file}", client.nonce(1));
        let request = one
            .clone()
            .nonce(client.nonce(2))
            .field("replay_url", url)
            .build();
        outcomes.push((file.to_owned(), client.deliver(request).await));
    }
    report.judge(
        "several-files",
        "several files of one stream are taken",
        outcomes,
    );
}
