//! Which callbacks are meant, as a page's address and its forms have it.

use zego_record_inbox::{EntryState, Filter};

use crate::problem::Problem;
use crate::text::Visible;
use crate::time::Utc;

/// The names and values of a query or a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs(Vec<(String, String)>);

/// A filter as an operator has written it; what is empty is not meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) state: Option<EntryState>,
    pub(crate) appid: String,
    pub(crate) stream: String,
    pub(crate) text: String,
    pub(crate) key: String,
    pub(crate) from: String,
    pub(crate) until: String,
}

const MAX_VALUE: usize = 512;

impl Pairs {
    /// Reads `application/x-www-form-urlencoded`. What it holds is as long as what was read, which
    /// the caller has bounded.
    pub(crate) fn read(text: &str) -> Result<Self, Problem> {
        let pairs = serde_urlencoded::from_str(text);
        pairs
            .map(Self)
            .map_err(|_| Problem::bad_request("The form cannot be read."))
    }

    /// The first value of this name; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        let mut pairs = self.0.iter();
        let pair = pairs.find(|(other, _)| other == name);
        pair.map_or("", |(_, value)| value)
    }

    /// The number of this name, if there is one.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        match self.get(name) {
            "" => Ok(None),
            digits => match digits.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Problem::bad_request(format!(
                    "The field {name} is no number."
                ))),
            },
        }
    }
}

impl Selection {
    pub(crate) fn read(pairs: &Pairs) -> Result<Self, Problem> {
        let value = |name| match pairs.get(name).trim() {
            long if long.len() > MAX_VALUE => Err(Problem::bad_request(format!(
                "The field {name} is longer than {MAX_VALUE} bytes."
            ))),
            value => Ok(value.to_owned()),
        };
        let state = match pairs.get("state") {
            "" => None,
            name => Some(EntryState::from_name(name).ok_or_else(|| {
                Problem::bad_request(
                    "There is no such state: it is waiting, running, done, dead or discarded.",
                )
            })?),
        };
        Ok(Self {
            state,
            appid: value("appid")?,
            stream: value("stream")?,
            text: value("text")?,
            key: value("key")?.to_ascii_lowercase(),
            from: value("from")?,
            until: value("until")?,
        })
    }

    /// The callback of this key alone.
    pub(crate) fn of_key(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            ..Self::default()
        }
    }

    /// Those in this state.
    pub(crate) fn of_state(state: EntryState) -> Self {
        Self {
            state: Some(state),
            ..Self::default()
        }
    }

    /// Whether one callback at most is meant.
    pub(crate) fn is_single(&self) -> bool {
        self.key.len() == 64
    }

    /// Whether anything is set but a state and a text.
    pub(crate) fn has_more(&self) -> bool {
        let pairs = self.pairs();
        pairs
            .iter()
            .any(|(name, _)| !["state", "text"].contains(name))
    }

    /// The filter, for the inbox.
    pub(crate) fn filter(&self) -> Result<Filter, Problem> {
        let text = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        let time = |name, value: &str| match value {
            "" => Ok(None),
            value => Utc::parse(value)
                .map(|time| Some(time.to_system_time()))
                .ok_or_else(|| {
                    Problem::bad_request(format!(
                        "The field {name} is no time such as 2026-11-24T20:46."
                    ))
                }),
        };
        let mut filter = Filter::all();
        filter.state = self.state;
        filter.appid = text(&self.appid);
        filter.stream_alias = text(&self.stream);
        filter.text = text(&self.text);
        filter.key_prefix = self.key_prefix()?;
        filter.received_from = time("from", &self.from)?;
        filter.received_before = time("until", &self.until)?;
        Ok(filter)
    }

    fn key_prefix(&self) -> Result<Option<Vec<u8>>, Problem> {
        if self.key.is_empty() {
            return Ok(None);
        }
        match hex::decode(&self.key) {
            Ok(prefix) if (4..=32).contains(&prefix.len()) => Ok(Some(prefix)),
            _ => Err(Problem::bad_request(
                "A delivery key is given by its first 8 to 64 hexadecimal digits, an even number of them.",
            )),
        }
    }

    /// The fields that are set, as names and values.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("state", self.state.map_or("", EntryState::as_str)),
            ("appid", &self.appid),
            ("stream", &self.stream),
            ("text", &self.text),
            ("key", &self.key),
            ("from", &self.from),
            ("until", &self.until),
        ];
        all.into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    /// The fields that are set, as a query.
    pub(crate) fn query(&self) -> String {
        serde_urlencoded::to_string(self.pairs()).unwrap_or_default()
    }

    /// The fields that are set, in words.
    pub(crate) fn described(&self) -> Vec<(&'static str, Visible)> {
        let pairs = self.pairs().into_iter();
        pairs
            .map(|(name, value)| (name, Visible::new(value, MAX_VALUE)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Selection, Problem> {
        Selection::read(&Pairs::read(query).unwrap())
    }

    #[test]
    fn a_selection_is_read_as_it_is_written() {
        let query = "state=dead&appid=1&stream=a%26b&text=%3Cb%3E&key=00112233&from=2026-11-24T20%3A46&until=2026-11-25T00%3A00";
        let selection = read(query).unwrap();
        assert_eq!(selection.query(), query);
        let filter = selection.filter().unwrap();
        assert_eq!(filter.state, Some(EntryState::Dead));
        assert_eq!(filter.stream_alias.as_deref(), Some("a&b"));
        assert_eq!(
            filter.key_prefix.as_deref(),
            Some(&[0, 0x11, 0x22, 0x33][..])
        );
        assert!(filter.received_from < filter.received_before);
    }

    #[test]
    fn what_is_empty_is_not_meant() {
        let selection = read("state=&appid=&stream=+&text=&key=&from=&until=&other=1").unwrap();
        assert_eq!(selection, Selection::default());
        assert_eq!(selection.filter().unwrap(), Filter::all());
    }

    #[test]
    fn rejects_what_it_cannot_mean() {
        for query in [
            "state=lost".to_owned(),
            "key=001122".to_owned(),
            "key=001122334".to_owned(),
            "key=0011223g".to_owned(),
            format!("key={}", "0".repeat(66)),
            "from=yesterday".to_owned(),
            format!("text={}", "x".repeat(MAX_VALUE + 1)),
        ] {
            assert!(
                read(&query)
                    .and_then(|selection| selection.filter())
                    .is_err(),
                "{query}"
            );
        }
    }
}
