//! What a filter asks for, as parameters. The state alone goes into the text, out of five constants.

use std::time::{Duration, SystemTime};

use zego_record_inbox::{EntryState, Filter};

use crate::connection::{Step, Value};

/// A statement for the callbacks that a filter matches, with its parameters before `more`.
pub(crate) fn step(statement: &str, filter: &Filter, more: Vec<Value>) -> Step {
    let (prefix, text) = (filter.key_prefix.as_deref(), filter.text.as_deref());
    let mut values = vec![
        Value::Bytes(filter.appid.as_deref().map(Into::into)),
        Value::Bytes(filter.stream_alias.as_deref().map(Into::into)),
        Value::Bytes(text.map(|text| text.to_ascii_lowercase().into())),
        Value::Bytes(prefix.map(Into::into)),
        Value::Bytes(prefix.and_then(after_prefix)),
        Value::Number(filter.received_from.map(microseconds_since_1970)),
        Value::Number(filter.received_before.map(microseconds_since_1970)),
    ];
    values.extend(more);
    Step::new(
        statement.replace("{state}", condition(filter.state)),
        values,
    )
}

const fn condition(state: Option<EntryState>) -> &'static str {
    match state {
        None => "true",
        Some(EntryState::Waiting) => "w.over IS NULL AND w.owner IS NULL",
        Some(EntryState::Running) => "w.over IS NULL AND w.owner IS NOT NULL",
        Some(EntryState::Done) => "w.over = 1",
        Some(EntryState::Discarded) => "w.over = 2",
        Some(EntryState::Dead) => "w.over = 3",
    }
}

/// The first bytes after all that begin with a prefix; `None` if nothing comes after them.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut after = prefix.get(..=last)?.to_vec();
    *after.last_mut()? += 1;
    Some(after)
}

/// The first microsecond that is not before a time, in a range that PostgreSQL has too.
fn microseconds_since_1970(time: SystemTime) -> i64 {
    const MOST: i64 = 60_000_000_000_000_000;
    let whole = |duration: Duration| {
        i64::try_from(duration.as_micros())
            .unwrap_or(MOST)
            .min(MOST)
    };
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => whole(after.saturating_add(Duration::from_nanos(999))),
        Err(before) => -whole(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        let table: [(&[u8], Option<&[u8]>); 5] = [
            (b"", None),
            (b"\xff\xff", None),
            (b"a", Some(b"b")),
            (b"a\xff", Some(b"b")),
            (b"a\x00", Some(b"a\x01")),
        ];
        for (prefix, expected) in table {
            assert_eq!(after_prefix(prefix).as_deref(), expected, "{prefix:?}");
        }
    }

    #[test]
    fn a_time_is_never_rounded_down() {
        let at = |nanos| SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
        let before = |nanos| SystemTime::UNIX_EPOCH - Duration::from_nanos(nanos);
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::MAX / 4);
        let table = [
            (at(5_000), 5),
            (at(5_001), 6),
            (before(5_000), -5),
            (before(5_999), -5),
            (far, 60_000_000_000_000_000),
        ];
        for (time, expected) in table {
            assert_eq!(microseconds_since_1970(time), expected, "{time:?}");
        }
    }
}
