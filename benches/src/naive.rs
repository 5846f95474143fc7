//! A receiver as it is usually written by hand: parse, sort, format, compare.
//!
//! It does what the documentation asks for and no more. It trusts whatever is signed, reads one wire form,
//! compares with `==`, and has no idea of replays and duplicates.

use std::collections::HashMap;

use percent_encoding::percent_decode;
use serde_json::Value;
use sha1::{Digest, Sha1};
use zego_record_core::{UnixSeconds, WireForm};

use crate::corpus::SECRET;

/// What such a receiver keeps of a callback.
#[derive(Debug)]
pub struct Event {
    /// The project.
    pub appid: String,
    /// The stream's name.
    pub stream_alias: String,
    /// Where the recording can be played.
    pub replay_url: String,
    /// When the recording began.
    pub begin_time: i64,
    /// When the recording ended.
    pub end_time: i64,
    /// What the vendor adds.
    pub extra_params: Value,
}

/// Reads and verifies a body in the one form that this receiver expects.
pub fn receive(body: &[u8], form: WireForm, now: UnixSeconds) -> Result<Event, &'static str> {
    match form {
        WireForm::Form => {
            let fields: HashMap<String, String> =
                serde_urlencoded::from_bytes(body).map_err(|_| "not a form")?;
            verify(|name| fields.get(name).cloned().unwrap_or_default(), now)
        }
        WireForm::EncodedJson => {
            let document = percent_decode(body).decode_utf8();
            json(document.map_err(|_| "not UTF-8")?.as_bytes(), now)
        }
        _ => json(body, now),
    }
}

fn json(body: &[u8], now: UnixSeconds) -> Result<Event, &'static str> {
    let fields: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let text = |name: &str| match &fields[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    verify(text, now)
}

fn verify(text: impl Fn(&str) -> String, now: UnixSeconds) -> Result<Event, &'static str> {
    let (timestamp, nonce) = (text("timestamp"), text("nonce"));
    let mut parts = [SECRET.to_owned(), timestamp.clone(), nonce];
    parts.sort();
    let joined = format!("{}{}{}", parts[0], parts[1], parts[2]);
    if hex::encode(Sha1::digest(joined)) != text("signature") {
        return Err("bad signature");
    }
    let timestamp: i64 = timestamp.parse().map_err(|_| "bad timestamp")?;
    if (now.get() - timestamp).abs() > 300 {
        return Err("stale");
    }
    Ok(Event {
        appid: text("appid"),
        stream_alias: text("stream_alias"),
        replay_url: text("replay_url"),
        begin_time: text("begin_time").parse().map_err(|_| "bad time")?,
        end_time: text("end_time").parse().map_err(|_| "bad time")?,
        extra_params: serde_json::from_str(&text("extra_params")).unwrap_or_default(),
    })
}
