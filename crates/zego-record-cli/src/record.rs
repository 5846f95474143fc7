//! A recording as JSON: one line of the examples' output, and the body that is forwarded.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use zego_record_core::{RecordCallback, UnixSeconds, Vendor};

/// Of the year 9999.
const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

/// What there is to know about a recording, null where it is absent.
#[derive(Debug, Serialize)]
pub(crate) struct Record<'a> {
    event_id: String,
    appid: &'a str,
    stream_alias: &'a str,
    replay_url: &'a str,
    begin_time: UnixSeconds,
    end_time: UnixSeconds,
    timestamp: UnixSeconds,
    nonce: &'a str,
    vendor: Option<&'static str>,
    task_id: Option<&'a str>,
    file_id: Option<&'a str>,
    duration: Option<f64>,
    file_size: Option<u64>,
    /// Only if no vendor was recognised, whose members have said it all otherwise.
    extra_params: Option<&'a str>,
    attempt: u32,
    changed: bool,
}

impl<'a> Record<'a> {
    pub(crate) fn new(callback: &'a RecordCallback, attempt: u32, changed: bool) -> Self {
        let extra_params = callback.extra_params();
        let vendor = extra_params.vendor();
        let duration = extra_params.duration();
        Self {
            event_id: callback.event_id(),
            appid: callback.appid(),
            stream_alias: callback.stream_alias(),
            replay_url: callback.replay_url(),
            begin_time: callback.begin_time(),
            end_time: callback.end_time(),
            timestamp: callback.timestamp(),
            nonce: callback.nonce(),
            vendor: vendor.map(Vendor::name),
            task_id: extra_params.task_id(),
            file_id: extra_params.file_id(),
            duration: duration.map(|duration| duration.as_secs_f64()),
            file_size: extra_params.file_size(),
            extra_params: extra_params.text().filter(|_| vendor.is_none()),
            attempt,
            changed,
        }
    }
}

/// Every field of a callback but the signature, as text; one that came several times as an array.
pub(crate) fn fields(callback: &RecordCallback) -> BTreeMap<String, Texts> {
    let mut fields = BTreeMap::new();
    let times = [
        ("begin_time", callback.begin_time()),
        ("end_time", callback.end_time()),
        ("timestamp", callback.timestamp()),
    ];
    let known = [
        ("event", "record"),
        ("appid", callback.appid()),
        ("stream_alias", callback.stream_alias()),
        ("replay_url", callback.replay_url()),
        ("nonce", callback.nonce()),
    ];
    for (name, text) in known.into_iter().chain(callback.other_fields()) {
        add(&mut fields, name, text.to_owned());
    }
    for (name, time) in times {
        add(&mut fields, name, time.to_string());
    }
    if let Some(text) = callback.extra_params().text() {
        add(&mut fields, "extra_params", text.to_owned());
    }
    fields
}

/// One text, or several.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Texts {
    One(String),
    Several(Vec<String>),
}

/// As RFC 3339 writes it, in UTC, with milliseconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(writable(time)).to_string()
}

/// The time, or the nearest one that RFC 3339 can write: a handler may postpone for ever, and a database may
/// hold anything.
pub(crate) fn writable(time: SystemTime) -> SystemTime {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
    SystemTime::UNIX_EPOCH + since_1970.unwrap_or_default().min(LAST_SECOND)
}

fn add(fields: &mut BTreeMap<String, Texts>, name: &str, text: String) {
    match fields.get_mut(name) {
        None => {
            fields.insert(name.to_owned(), Texts::One(text));
        }
        Some(Texts::Several(texts)) => texts.push(text),
        Some(one) => {
            let texts = std::mem::replace(one, Texts::Several(Vec::new()));
            if let (Texts::One(first), Texts::Several(all)) = (texts, one) {
                all.extend([first, text]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_can_be_written() {
        let epoch = SystemTime::UNIX_EPOCH;
        let at = |seconds| epoch + Duration::from_secs(seconds);
        for (time, expected) in [
            (epoch, "1970-01-01T00:00:00.000Z"),
            (at(253_402_300_799), "9999-12-31T23:59:59.000Z"),
            (at(253_402_300_800), "9999-12-31T23:59:59.000Z"),
            (
                at(i64::MAX.unsigned_abs() / 1_000),
                "9999-12-31T23:59:59.000Z",
            ),
            (epoch - Duration::from_millis(1), "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(time), expected);
        }
    }
}
