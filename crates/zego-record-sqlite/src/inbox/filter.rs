//! Filters as conditions of a statement. What somebody has typed is always a parameter.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use zego_record_inbox::{EntryState, Filter};

use crate::step::milliseconds_of;

const KEY_LENGTH: usize = 32;

/// Conditions on `zego_work w` and `zego_callback c`, to be appended to a statement with a WHERE.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
    /// Whether `c` is mentioned.
    pub(crate) of_callback: bool,
}

impl Conditions {
    pub(crate) fn new(filter: &Filter) -> Self {
        let mut all = Self::default();
        if let Some(prefix) = &filter.key_prefix {
            let mut last = prefix.clone();
            last.resize(prefix.len().max(KEY_LENGTH), 0xff);
            all.add_of_callback("c.key BETWEEN ? AND ?", [prefix.clone(), last]);
        }
        if let Some(stream_alias) = &filter.stream_alias {
            all.add_of_callback("c.stream_alias = ?", [stream_alias.as_bytes().to_vec()]);
        }
        if let Some(state) = filter.state {
            // The sign keeps SQLite from searching all callbacks in a state for the few of a stream.
            let sign = if all.of_callback { "+" } else { "" };
            all.add(&format!("{sign}w.state = ?"), [state_number(state)]);
        }
        if let Some(appid) = &filter.appid {
            all.add_of_callback("c.appid = ?", [appid.as_bytes().to_vec()]);
        }
        if let Some(from) = filter.received_from {
            all.add_of_callback("c.received_at >= ?", [milliseconds_of(from)]);
        }
        if let Some(before) = filter.received_before {
            all.add_of_callback("c.received_at < ?", [milliseconds_of(before)]);
        }
        if let Some(text) = filter.text.as_ref().filter(|text| !text.is_empty()) {
            let columns = "(ascii_contains(c.event_id, ?) OR ascii_contains(c.stream_alias, ?) \
                           OR ascii_contains(w.last_error, ?))";
            all.add_of_callback(
                columns,
                std::array::from_fn::<_, 3, _>(|_| text.as_bytes().to_vec()),
            );
        }
        all
    }

    pub(crate) fn add<V: Into<Value>>(
        &mut self,
        condition: &str,
        values: impl IntoIterator<Item = V>,
    ) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.values.extend(values.into_iter().map(Into::into));
    }

    /// A statement with these conditions.
    pub(crate) fn append_to(&self, statement: &str, end: &str) -> String {
        format!("{statement}{}{end}", self.text)
    }

    pub(crate) fn params(&self) -> impl rusqlite::Params {
        params_from_iter(self.values.iter())
    }

    fn add_of_callback<V: Into<Value>>(
        &mut self,
        condition: &str,
        values: impl IntoIterator<Item = V>,
    ) {
        self.of_callback = true;
        self.add(condition, values);
    }
}

/// The number of a state in the column of that name.
pub(crate) const fn state_number(state: EntryState) -> i64 {
    match state {
        EntryState::Done => 1,
        EntryState::Discarded => 2,
        EntryState::Dead => 3,
        EntryState::Waiting => 4,
        EntryState::Running => 5,
    }
}

/// The state of this number.
pub(crate) fn state_of_number(number: i64) -> Option<EntryState> {
    let mut all = EntryState::ALL.iter().copied();
    all.find(|state| state_number(*state) == number)
}

/// Adds `ascii_contains(blob, part)`, since LIKE stops at U+0000 and has wildcards.
pub(crate) fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("ascii_contains", 2, flags, |context| {
        let whole = context.get_raw(0).as_bytes_or_null().unwrap_or_default();
        let part = context.get_raw(1).as_bytes_or_null().unwrap_or_default();
        Ok(match (whole, part) {
            (Some(whole), Some(part)) => contains(whole, part),
            _ => false,
        })
    })
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    part.is_empty()
        || whole
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part))
}
