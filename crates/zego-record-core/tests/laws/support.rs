//! Content, its wire forms, and how a law is run.

use std::io::Write as _;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use zego_record_core::{
    CallbackSecret, DeliveryKey, RecordCallback, Rejection, UnixSeconds, Unverified, Verdict,
    Verified, Verifier, sign,
};

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const TIMESTAMP: &str = "1760001893";
const NONCE: &str = "456789";
const NOW: i64 = 1_760_001_900;

/// Fields by name; names may repeat.
pub(crate) type Fields = Vec<(String, Value)>;

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    /// A number, an array or an object; in a form its JSON is the text.
    Json(String),
}

impl Value {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Json(text) => text,
        }
    }
}

/// Failures are kept in the build directory and not in the tree: a law that was broken once gets a
/// test with a name.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    // The thread has the test's name. A macro's output would be held back by `cargo test`.
    let thread = std::thread::current();
    let law = thread.name().unwrap_or_default();
    let _ = writeln!(std::io::stderr(), "figures: law {law}: {cases} cases");
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/laws.proptest-regressions");
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(path))),
        ..ProptestConfig::default()
    }
}

pub(crate) fn secret(text: &str) -> CallbackSecret {
    CallbackSecret::new(text).unwrap()
}

pub(crate) fn verifier(secret_text: &str) -> Verifier {
    let builder = Verifier::builder().secret(secret(secret_text));
    builder.build().unwrap()
}

pub(crate) fn record(
    verifier: &Verifier,
    body: &str,
    now: i64,
) -> Result<RecordCallback, Rejection> {
    match verifier.verify(body.as_bytes(), UnixSeconds::new(now))? {
        Verified::Record(callback) => Ok(callback),
        other => panic!("another event: {other:?}"),
    }
}

/// A form that is complete but for what is signed, which is given.
pub(crate) fn body_with(timestamp: &str, nonce: &str, signature: &str) -> String {
    let fields = [
        ("event", "record"),
        ("appid", "1"),
        ("stream_alias", "a"),
        ("replay_url", "u"),
        ("begin_time", "1"),
        ("end_time", "2"),
        ("timestamp", timestamp),
        ("nonce", nonce),
        ("signature", signature),
    ];
    serde_urlencoded::to_string(fields).unwrap()
}

/// The callback that a body reads as. It is signed and fresh, so any rejection is a failure.
pub(crate) fn read(body: &str) -> RecordCallback {
    let callback = record(&verifier(SECRET), body, NOW);
    callback.unwrap_or_else(|rejection| panic!("{rejection}: {body}"))
}

/// The key of a body that is signed and fresh, before its content is checked.
pub(crate) fn key_of_body(body: &str) -> DeliveryKey {
    let unverified = Unverified::read(body.as_bytes()).unwrap();
    let authenticated = verifier(SECRET).authenticate(unverified, UnixSeconds::new(NOW));
    authenticated.unwrap().delivery_key()
}

/// The verdict on a body that must be rejected.
pub(crate) fn rejected(body: &str) -> Verdict {
    match verifier(SECRET).verify(body.as_bytes(), UnixSeconds::new(NOW)) {
        Err(rejection) => rejection.verdict(),
        Ok(verified) => panic!("accepted: {verified:?}"),
    }
}

/// The content as JSON, as a form, and as encoded JSON.
pub(crate) fn bodies(content: &Fields) -> [String; 3] {
    let json = json(content);
    let encoded: String = json.bytes().map(|byte| format!("%{byte:02X}")).collect();
    [json, form(content), encoded]
}

pub(crate) fn json(content: &Fields) -> String {
    let members: Vec<String> = signed(content)
        .iter()
        .map(|(name, value)| {
            let json = match value {
                Value::Text(text) => quote(text),
                Value::Json(json) => json.clone(),
            };
            format!("{}:{json}", quote(name))
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

pub(crate) fn form(content: &Fields) -> String {
    let signed = signed(content);
    let pairs: Vec<_> = signed
        .iter()
        .map(|(name, value)| (name, value.text()))
        .collect();
    serde_urlencoded::to_string(pairs).unwrap()
}

/// A JSON string.
pub(crate) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Text as a documented field may hold it, often in need of an escape.
pub(crate) fn known_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{1,12}",
        "[ -~]{1,20}",
        "(https?|HTTPS)%3[aA]%2[fF]%2[fF][a-z%25+/]{0,6}",
        "https://vod\\.example\\.com/[a-z]{1,6}\\.mp4(\\?sign=[a-z0-9%2F+=]{0,8})?",
    ]
}

/// Any JSON number, of any length.
pub(crate) fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,60})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,5})?"
}

/// The content of a callback that is accepted, without what is signed. Documented fields come first.
pub(crate) fn content() -> impl Strategy<Value = Fields> {
    let known = (
        "[0-9a-z]{1,10}",
        known_text(),
        known_text(),
        any::<i64>(),
        any::<i64>(),
        prop::option::of(extra_params()),
    );
    (known, unknown()).prop_map(|((appid, alias, url, begin, end, extra), unknown)| {
        let text = |name: &str, text: String| (name.to_owned(), Value::Text(text));
        let mut fields = vec![
            text("event", "record".to_owned()),
            text("appid", appid),
            text("stream_alias", alias),
            text("replay_url", url),
            ("begin_time".to_owned(), Value::Json(begin.to_string())),
            text("end_time", end.to_string()),
        ];
        fields.extend(extra.map(|extra| ("extra_params".to_owned(), extra)));
        fields.extend(unknown);
        fields
    })
}

/// Fields that the protocol does not define; some names repeat.
pub(crate) fn unknown() -> impl Strategy<Value = Fields> {
    let name = prop_oneof![Just("rtmp_url[]".to_owned()), any::<String>()]
        .prop_map(|name| format!("x{name}"));
    let value = prop_oneof![
        any::<String>().prop_map(Value::Text),
        number().prop_map(Value::Json),
        container().prop_map(Value::Json),
        container().prop_map(Value::Text),
    ];
    prop::collection::vec((name, value), 0..5)
}

/// A vendor's members, or words, as a string or as the object itself.
fn extra_params() -> impl Strategy<Value = Value> {
    let member = prop_oneof![
        "\\PC{0,8}".prop_map(|text| quote(&text)),
        number(),
        Just("null".to_owned()),
    ];
    let name = prop::sample::select(vec![
        "Duration",
        "TaskId",
        "FileID",
        "FileId",
        "PersistentId",
        "ObsObject",
        "FileSize",
        "New",
    ]);
    let object = prop::collection::vec((name, member), 0..4).prop_map(|members| {
        let members: Vec<String> = members
            .into_iter()
            .map(|(name, json)| format!("{}:{json}", quote(name)))
            .collect();
        format!("{{{}}}", members.join(","))
    });
    prop_oneof![
        object.clone().prop_map(Value::Text),
        object.prop_map(Value::Json),
        known_text().prop_map(Value::Text),
    ]
}

/// A JSON array or object.
fn container() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        number(),
        any::<String>().prop_map(|text| quote(&text)),
    ];
    let array = |items: Vec<String>| format!("[{}]", items.join(","));
    let object = |members: Vec<(String, String)>| {
        let members: Vec<String> = members
            .iter()
            .map(|(name, json)| format!("{}:{json}", quote(name)))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let value = leaf.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(array),
            prop::collection::vec((any::<String>(), inner), 0..3).prop_map(object),
        ]
    });
    prop_oneof![
        prop::collection::vec(value.clone(), 0..3).prop_map(array),
        prop::collection::vec((any::<String>(), value), 0..3).prop_map(object),
    ]
}

fn signed(content: &Fields) -> Fields {
    let signature = sign(&secret(SECRET), TIMESTAMP, NONCE).to_string();
    let mut fields = content.clone();
    for (name, text) in [
        ("timestamp", TIMESTAMP.to_owned()),
        ("nonce", NONCE.to_owned()),
        ("signature", signature),
    ] {
        fields.push((name.to_owned(), Value::Text(text)));
    }
    fields
}
