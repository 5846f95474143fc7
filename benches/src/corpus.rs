//! The requests that all contenders get.

use std::ops::Range;

use bytes::Bytes;
use zego_record_core::{UnixSeconds, Vendor, WireForm};
use zego_record_testkit::{RequestBuilder, Signing};

/// The callback secret of every bench.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The clock of benches that have no clock.
pub const NOW: UnixSeconds = UnixSeconds::new(1_760_001_900);

/// Every wire form, with its name in tables.
pub const WIRE_FORMS: [(&str, WireForm); 3] = [
    ("json", WireForm::Json),
    ("form", WireForm::Form),
    ("encoded", WireForm::EncodedJson),
];

/// Every vendor whose members are documented.
pub const VENDORS: [Vendor; 3] = [Vendor::Tencent, Vendor::Wangsu, Vendor::Huawei];

/// The longest body that a receiver takes unless it is configured otherwise.
const BODY_LIMIT: usize = 64 * 1024;

/// Writes the element or member of a number.
type Item = Box<dyn Fn(usize) -> String>;

/// A playback URL as long as those that are seen in practice.
const REPLAY_URL: &str = "https://1251234567.vod2.example.com/6f1a2b3cvodcq1251234567/4e5f6a7b5285890813218549789/playlist_eof.m3u8?t=68e7a3b1&us=4b1d";

/// The body of one recording, always the same.
pub fn body(vendor: Vendor, wire_form: WireForm, signing: Signing) -> Bytes {
    let request = builder(NOW, wire_form)
        .vendor(vendor)
        .nonce("5837261940582716394")
        .signing(signing)
        .build();
    Bytes::copy_from_slice(request.body())
}

/// Whole requests for different recordings, each signed by itself, so that none is a duplicate.
pub fn requests(now: UnixSeconds, wire_form: WireForm, numbers: Range<usize>) -> Vec<Bytes> {
    let builder = builder(now, wire_form);
    let request = |number: usize| {
        let request = builder
            .clone()
            .nonce(format!("58372619{number:011}"))
            .field("stream_alias", format!("lesson-7-room-{number:010}"))
            .build();
        in_http(request.body(), wire_form)
    };
    numbers.map(request).collect()
}

/// Signed bodies of 64 KiB, the default body limit, each with one field whose canonical JSON takes long.
pub fn worst_bodies() -> Vec<(&'static str, Bytes)> {
    let rows: [(&str, [char; 2], Item); 9] = [
        (
            "arrays in 126 levels",
            ['[', ']'],
            Box::new(|_| deep("[", "]")),
        ),
        (
            "objects in 126 levels, out of order",
            ['[', ']'],
            Box::new(|_| deep(r#"{"b":1,"a":"#, "}")),
        ),
        (
            "the same, with escaped names",
            ['[', ']'],
            Box::new(|_| deep(r#"{"\t":1,"\n":1,"\b":"#, "}")),
        ),
        (
            "members with escaped names",
            ['{', '}'],
            Box::new(|number| format!(r#""{}":1"#, escaped(&format!("{:04x}", unordered(number))))),
        ),
        (
            "members with one escape each",
            ['{', '}'],
            Box::new(|number| format!(r#""\t{:04x}":1"#, unordered(number))),
        ),
        (
            "members that differ late",
            ['{', '}'],
            Box::new(|number| format!(r#""abcdefgh\t{:04x}":1"#, unordered(number))),
        ),
        (
            "members in a text beyond ASCII",
            ['{', '}'],
            Box::new(|number| match number {
                0 => r#""é":1"#.to_owned(),
                _ => format!(r#""{:x}":1"#, unordered(number)),
            }),
        ),
        (
            "small objects out of order, with escaped names",
            ['[', ']'],
            Box::new(|_| r#"{"\n":1,"\b":1}"#.to_owned()),
        ),
        (
            "arrays of one number",
            ['[', ']'],
            Box::new(|_| "[1]".to_owned()),
        ),
    ];
    let body = |json: &str| {
        let request = builder(NOW, WireForm::Json).field_json("other", json);
        Bytes::copy_from_slice(request.build().body())
    };
    let room = BODY_LIMIT - body("[]").len();
    let rows = rows.into_iter().map(|(name, [open, close], item)| {
        let mut json = item(0);
        for next in (1..).map(&item) {
            if json.len() + 1 + next.len() > room {
                break;
            }
            json = json + "," + &next;
        }
        (name, body(&format!("{open}{json}{close}")))
    });
    rows.collect()
}

/// Four hexadecimal digits at most, in no order.
fn unordered(number: usize) -> usize {
    number.wrapping_mul(40_503) % 65_536
}

fn deep(open: &str, close: &str) -> String {
    format!("{}1{}", open.repeat(126), close.repeat(126))
}

/// A name of which each character is escaped.
fn escaped(name: &str) -> String {
    let units = name.bytes().map(|byte| format!("\\u{byte:04x}"));
    units.collect()
}

fn builder(now: UnixSeconds, wire_form: WireForm) -> RequestBuilder {
    RequestBuilder::new(SECRET, now)
        .wire_form(wire_form)
        .field("stream_alias", "lesson-7-room-0000000042")
        .field("replay_url", REPLAY_URL)
}

fn in_http(body: &[u8], wire_form: WireForm) -> Bytes {
    let content_type = match wire_form {
        WireForm::Form => "application/x-www-form-urlencoded",
        _ => "application/json",
    };
    let mut request = format!(
        "POST /zego/record HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: zego\r\naccept: */*\r\n\
         content-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request.into()
}
