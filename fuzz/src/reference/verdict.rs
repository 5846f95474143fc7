//! From a body to a verdict, row by row of the table.

use std::collections::HashMap;

use super::extra_params::{self, ExtraParams};
use super::json::{self, Json};
use super::{form, sha1};

/// The ten fields that the protocol defines.
pub const FIELDS: [&str; 10] = [
    "appid",
    "begin_time",
    "end_time",
    "event",
    "extra_params",
    "nonce",
    "replay_url",
    "signature",
    "stream_alias",
    "timestamp",
];

/// How many fields that the protocol does not define are kept; a body with more is not read.
pub const MAX_OTHERS: usize = 1_000;

/// What a receiver is configured with.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// Secrets, each for one AppID or for all that have none of their own.
    pub secrets: &'a [(Option<&'a str>, &'a str)],
    /// In seconds, in both directions.
    pub tolerance: i64,
}

/// A field: its name, its value, and how the value was written.
#[derive(Clone, Debug)]
pub struct Member {
    /// The name.
    pub name: String,
    /// The value; a string where it came in a form.
    pub value: Json,
    /// Its JSON without white space between the tokens, or the form's string.
    pub source: String,
}

/// A body that is signed and fresh.
#[derive(Debug)]
pub enum Event {
    /// A `record` event.
    Record(Box<Record>),
    /// Another event: its name, its documented fields, the others.
    Other(String, HashMap<&'static str, String>, Vec<Member>),
}

/// A recording.
#[derive(Debug)]
pub struct Record {
    /// The documented fields that came, by name, as strings.
    pub known: HashMap<&'static str, String>,
    /// Unix seconds.
    pub begin_time: i64,
    /// Unix seconds.
    pub end_time: i64,
    /// The vendor's data, where the rules define its meaning.
    pub extra_params: Option<ExtraParams>,
    /// The fields that are not documented.
    pub others: Vec<Member>,
}

impl Record {
    /// A string that is there, since the event was accepted.
    pub fn text(&self, name: &str) -> &str {
        self.known.get(name).map_or("", String::as_str)
    }

    /// What identifies the file.
    pub fn event_id(&self) -> Option<String> {
        let extra_params = self.extra_params.as_ref()?;
        let escape = |part: &str| {
            let escaped = part.chars().map(|character| match character {
                ':' => "%3A".to_owned(),
                '%' => "%25".to_owned(),
                other => other.to_string(),
            });
            escaped.collect::<String>()
        };
        let (appid, url) = (escape(self.text("appid")), self.text("replay_url"));
        let file = extra_params.file_id.as_deref();
        Some(match (extra_params.vendor, file) {
            (Some("tencent"), Some(file)) if !file.is_empty() => format!("{appid}:file:{file}"),
            (Some("huawei"), Some(object)) if !object.is_empty() => {
                format!("{appid}:object:{object}")
            }
            (Some("wangsu"), Some(id)) => format!("{appid}:persistent:{}:{url}", escape(id)),
            _ => format!("{appid}:url:{url}"),
        })
    }
}

/// The fields of a body in any wire form; `None` if it is not readable in its form.
pub fn members(body: &[u8]) -> Option<Vec<Member>> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    if text.starts_with('{') {
        json_members(text)
    } else if text.to_ascii_lowercase().starts_with("%7b") {
        json_members(&form::decode(text)?)
    } else {
        let pairs = form::read(text)?.into_iter();
        Some(
            pairs
                .map(|(name, text)| Member {
                    name,
                    value: Json::Text(text.clone()),
                    source: text,
                })
                .collect(),
        )
    }
}

/// A body that is signed and fresh, whatever its content. A receiver binds its signature to the content
/// before anything of that is judged.
#[derive(Debug)]
pub struct Authenticated {
    /// The documented fields that came, by name, as strings.
    pub known: HashMap<&'static str, String>,
    /// The fields that are not documented.
    pub others: Vec<Member>,
}

/// Whether the body is signed and fresh, or the code of the first row that rejects it.
pub fn authenticate(
    body: &[u8],
    now: i64,
    config: Config<'_>,
) -> Result<Authenticated, &'static str> {
    let (known, others) = members(body).and_then(sort_out).ok_or("malformed")?;
    let text = |name| known.get(name).filter(|text| !text.is_empty());

    let (Some(signature), Some(timestamp), Some(nonce)) =
        (text("signature"), text("timestamp"), text("nonce"))
    else {
        return Err("unsigned");
    };
    if !is_timestamp(timestamp) || !is_nonce(nonce) {
        return Err("malformed");
    }
    let appid = known.get("appid").map(String::as_str);
    let binds = config.secrets.iter().any(|(bound, _)| bound.is_some());
    if binds && text("appid").is_some_and(|appid| !is_decimal(appid)) {
        return Err("bad_signature");
    }
    let own: Vec<_> = config
        .secrets
        .iter()
        .filter(|(bound, _)| bound.is_some() && *bound == appid)
        .collect();
    let shared: Vec<_> = config
        .secrets
        .iter()
        .filter(|(bound, _)| bound.is_none())
        .collect();
    let candidates = if own.is_empty() { shared } else { own };
    if !candidates
        .iter()
        .any(|(_, secret)| sign(secret, timestamp, nonce) == signature.to_ascii_lowercase())
    {
        return Err("bad_signature");
    }
    let age = i128::from(now) - timestamp.parse::<i128>().map_err(|_| "malformed")?;
    if age > i128::from(config.tolerance) {
        return Err("stale");
    }
    if -age > i128::from(config.tolerance) {
        return Err("future");
    }
    Ok(Authenticated { known, others })
}

/// What an authenticated body is about, or the code of the row that rejects it.
pub fn check_content(authenticated: Authenticated) -> Result<Event, &'static str> {
    let Authenticated { known, others } = authenticated;
    match known.get("event").map(String::as_str) {
        None | Some("") => Err("invalid"),
        Some("record") => record(known, others)
            .map(Box::new)
            .map(Event::Record)
            .ok_or("invalid"),
        Some(event) => Ok(Event::Other(event.to_owned(), known, others)),
    }
}

/// What ZEGOCLOUD signs with.
pub fn sign(secret: &str, timestamp: &str, nonce: &str) -> String {
    let mut parts = [
        secret.as_bytes().to_vec(),
        timestamp.as_bytes().to_vec(),
        nonce.as_bytes().to_vec(),
    ];
    parts.sort();
    sha1::hex_digest(&parts.concat())
}

/// An AppID as the console shows it: no sign, no leading zero, no fraction, no exponent.
fn is_decimal(appid: &str) -> bool {
    appid.chars().all(|c| c.is_ascii_digit()) && (appid == "0" || !appid.starts_with('0'))
}

/// Ten digits without a leading zero.
pub fn is_timestamp(text: &str) -> bool {
    text.len() == 10 && text.chars().all(|c| c.is_ascii_digit()) && !text.starts_with('0')
}

/// 1 to 128 letters, digits, hyphens and underscores.
pub fn is_nonce(text: &str) -> bool {
    let is_harmless = |c: char| matches!(c, '0'..='9' | 'A'..='Z' | 'a'..='z' | '_' | '-');
    !text.is_empty() && text.len() <= 128 && text.chars().all(is_harmless)
}

fn json_members(text: &str) -> Option<Vec<Member>> {
    let document = json::read(text)?;
    let Json::Object(members) = document.value else {
        return None;
    };
    let members = members.into_iter().zip(document.sources);
    (!document.has_lone_surrogate).then(|| {
        members
            .map(|((name, value), source)| Member {
                name,
                value,
                source: json::compact(&source),
            })
            .collect()
    })
}

type SortedOut = (HashMap<&'static str, String>, Vec<Member>);

/// Documented fields as strings, and the others; `None` where a documented field is there twice, of a
/// wrong type, or has a control character, or where there are too many others.
fn sort_out(members: Vec<Member>) -> Option<SortedOut> {
    let mut seen = Vec::new();
    let mut known = HashMap::new();
    let mut others = Vec::new();
    for member in members {
        let Some(name) = FIELDS.into_iter().find(|name| *name == member.name) else {
            if member.value != Json::Null {
                others.push(member);
            }
            continue;
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        let text = match member.value {
            Json::Null => continue,
            Json::Text(text) => text,
            Json::Number(digits) => digits,
            Json::Object(_) if name == "extra_params" => member.source,
            _ => return None,
        };
        let text = decode_where_encoded(name, text);
        if text.contains(char::is_control) {
            return None;
        }
        known.insert(name, text);
    }
    (others.len() <= MAX_OTHERS).then_some((known, others))
}

/// What cannot be decoded only looked encoded; neither field has to be a URL or JSON.
fn decode_where_encoded(name: &str, text: String) -> String {
    let prefixes: &[&str] = match name {
        "replay_url" => &["http%3a%2f%2f", "https%3a%2f%2f"],
        "extra_params" => &["%7b"],
        _ => &[],
    };
    let lower = text.to_ascii_lowercase();
    let looks_encoded = prefixes.iter().any(|prefix| lower.starts_with(prefix));
    match form::decode(&text) {
        Some(decoded) if looks_encoded => decoded,
        _ => text,
    }
}

fn record(known: HashMap<&'static str, String>, others: Vec<Member>) -> Option<Record> {
    for name in ["appid", "stream_alias", "replay_url"] {
        known.get(name).filter(|text| !text.is_empty())?;
    }
    let begin_time = integer(known.get("begin_time")?)?;
    let end_time = integer(known.get("end_time")?)?;
    let extra_params = match known.get("extra_params") {
        Some(text) => extra_params::read(text),
        None => Some(ExtraParams::default()),
    };
    Some(Record {
        known,
        begin_time,
        end_time,
        extra_params,
        others,
    })
}

fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.chars().all(|digit| digit.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}
