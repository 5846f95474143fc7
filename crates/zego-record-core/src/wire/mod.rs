//! From bytes to fields: the only place where what a peer sent is parsed.
//!
//! The documentation names JSON and form bodies and hints at a JSON body that is percent-encoded as a
//! whole; it does not name a Content-Type. So the first byte decides, and headers are never asked.

mod canonical;
mod escape;
mod form;
mod json;
mod percent;
mod scan;

use std::borrow::Cow;

pub(crate) use canonical::canonical;
pub(crate) use scan::{Value, read_object};

use crate::field::Field;
use crate::refusal::Malformed;

/// The form in which a callback came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireForm {
    /// A JSON object, ZEGOCLOUD's default.
    Json,
    /// `application/x-www-form-urlencoded`, as ZEGOCLOUD sends it on request.
    Form,
    /// A JSON object that is percent-encoded as a whole.
    EncodedJson,
}

/// So many fields that the protocol does not define are kept. It bounds what a body without a signature
/// can make us allocate, and is a hundred times what ZEGOCLOUD has ever been seen to send.
const MAX_OTHERS: usize = 1_000;

/// What a body holds: the documented fields by position, all others in their order.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    known: [Option<Cow<'a, str>>; Field::COUNT],
    seen: [bool; Field::COUNT],
    /// The `extra_params` of nearly every JSON body, valid but not yet decoded: nobody needs it before
    /// the signature is right, and decoding takes memory.
    escaped_extra_params: Option<&'a str>,
    pub(crate) others: Vec<OtherField<'a>>,
}

/// A field that the protocol does not define: its name, and its text (of a JSON array or object, the
/// JSON).
pub(crate) type OtherField<'a> = (Cow<'a, str>, Cow<'a, str>);

impl<'a> Fields<'a> {
    pub(crate) fn get(&self, field: Field) -> Option<&str> {
        self.known[field as usize].as_deref()
    }

    /// The field's text, unless it is absent or empty.
    pub(crate) fn non_empty(&self, field: Field) -> Option<&str> {
        self.get(field).filter(|text| !text.is_empty())
    }

    pub(crate) fn take(&mut self, field: Field) -> Option<Cow<'a, str>> {
        self.known[field as usize].take()
    }

    pub(crate) fn take_extra_params(&mut self) -> Option<Cow<'a, str>> {
        // Its escapes were checked when it was inserted.
        let decoded = self
            .escaped_extra_params
            .take()
            .map(|raw| escape::decode(raw).unwrap_or_default());
        decoded
            .map(Cow::Owned)
            .or_else(|| self.take(Field::ExtraParams))
    }

    /// Takes in a documented field; `None` is JSON's null, which counts as absent.
    fn insert(&mut self, field: Field, text: Option<Cow<'a, str>>) -> Result<(), Malformed> {
        self.see(field)?;
        let text = text.map(|text| decode_where_documented(field, text));
        if text.as_deref().is_some_and(has_control_character) {
            return Err(Malformed::ControlCharacter(field));
        }
        self.known[field as usize] = text;
        Ok(())
    }

    /// Takes in the inside of a JSON string with escapes.
    fn insert_escaped_extra_params(&mut self, raw: &'a str) -> Result<(), Malformed> {
        // Only these can stand for a text that is to be percent-decoded.
        if raw.starts_with(['%', '\\']) {
            return self.insert(Field::ExtraParams, Some(Cow::Owned(escape::decode(raw)?)));
        }
        self.see(Field::ExtraParams)?;
        if escape::check(raw)?.0 {
            return Err(Malformed::ControlCharacter(Field::ExtraParams));
        }
        self.escaped_extra_params = Some(raw);
        Ok(())
    }

    fn see(&mut self, field: Field) -> Result<(), Malformed> {
        if std::mem::replace(&mut self.seen[field as usize], true) {
            return Err(Malformed::Twice(field));
        }
        Ok(())
    }

    /// Takes in a field that the protocol does not define.
    fn push_other(&mut self, name: Cow<'a, str>, text: Cow<'a, str>) -> Result<(), Malformed> {
        if self.others.len() == MAX_OTHERS {
            return Err(Malformed::TooManyFields);
        }
        self.others.push((name, text));
        Ok(())
    }

    fn into_owned(mut self) -> Fields<'static> {
        self.known[Field::ExtraParams as usize] = self.take_extra_params();
        let own = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Fields {
            known: self.known.map(|text| text.map(own)),
            seen: self.seen,
            escaped_extra_params: None,
            others: self
                .others
                .into_iter()
                .map(|(name, text)| (own(name), own(text)))
                .collect(),
        }
    }
}

/// Reads a body in whichever form it came.
pub(crate) fn read(body: &[u8]) -> Result<(WireForm, Fields<'_>), Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.trim_matches(json::WHITE_SPACE);
    if text.starts_with('{') {
        Ok((WireForm::Json, json::read(text)?))
    } else if starts_with_encoded(text, "%7b") {
        let document = percent::decode(text)?;
        Ok((WireForm::EncodedJson, json::read(&document)?.into_owned()))
    } else {
        Ok((WireForm::Form, form::read(text)?))
    }
}

/// Values are never decoded a second time, since signed URLs contain live `%2F` and `+`. The two
/// exceptions look like an encoded URL and an encoded JSON object; one that only looks like it, and
/// cannot be decoded, is kept as it came, since neither has to be a URL or JSON at all.
fn decode_where_documented(field: Field, text: Cow<'_, str>) -> Cow<'_, str> {
    let encoded = match field {
        Field::ReplayUrl => {
            starts_with_encoded(&text, "http%3a%2f%2f")
                || starts_with_encoded(&text, "https%3a%2f%2f")
        }
        Field::ExtraParams => starts_with_encoded(&text, "%7b"),
        _ => false,
    };
    if !encoded {
        return text;
    }
    let decoded = percent::decode(&text).map(Cow::into_owned);
    decoded.map_or(text, Cow::Owned)
}

fn starts_with_encoded(text: &str, prefix: &str) -> bool {
    text.as_bytes()
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// As `char::is_control`. All bytes are looked at together, many at a time: plain ASCII, which is nearly
/// everything that comes, is done with that.
pub(crate) fn has_control_character(text: &str) -> bool {
    let (control, beyond_ascii) = text
        .bytes()
        .fold((false, false), |(control, beyond), byte| {
            (
                control | (byte < 0x20) | (byte == 0x7f),
                beyond | (byte >= 0x80),
            )
        });
    control || (beyond_ascii && text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay_url(body: &str) -> Result<String, Malformed> {
        let (_, mut fields) = read(body.as_bytes())?;
        Ok(fields
            .take(Field::ReplayUrl)
            .map(Cow::into_owned)
            .unwrap_or_default())
    }

    #[test]
    fn the_first_byte_decides_the_form() {
        for (body, form) in [
            ("{}", WireForm::Json),
            (" \r\n\t{ } \n", WireForm::Json),
            ("\u{feff} {\"nonce\":1}", WireForm::Json),
            ("%7B%7D", WireForm::EncodedJson),
            ("%7b%22a%22%3a+1%7d", WireForm::EncodedJson),
            ("", WireForm::Form),
            ("nonce=1", WireForm::Form),
            ("\u{feff}nonce=1\r\n", WireForm::Form),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap().0, form, "{body:?}");
        }
    }

    #[test]
    fn values_are_decoded_once_and_only_where_documented() {
        for (body, expected) in [
            (
                r#"{"replay_url":"https://h/a%2Fb+c?sign=%2B"}"#,
                "https://h/a%2Fb+c?sign=%2B",
            ),
            (
                r#"{"replay_url":"https%3A%2F%2Fh%2Fa%252Fb"}"#,
                "https://h/a%2Fb",
            ),
            (r#"{"replay_url":"HTTP%3a%2f%2fh"}"#, "HTTP://h"),
            (r#"{"replay_url":"ftp%3A%2F%2Fh"}"#, "ftp%3A%2F%2Fh"),
            (r#"{"replay_url":"https%3A%2F%2Fh%2"}"#, "https%3A%2F%2Fh%2"),
            (
                "replay_url=https%3A%2F%2Fh%2Fa%252Fb%2Bc",
                "https://h/a%2Fb+c",
            ),
            ("replay_url=https%253A%252F%252Fh%252Fa", "https://h/a"),
        ] {
            assert_eq!(replay_url(body).unwrap(), expected, "{body}");
        }
        assert_eq!(
            replay_url(r#"{"replay_url":"https%3A%2F%2Fh%00"}"#),
            Err(Malformed::ControlCharacter(Field::ReplayUrl))
        );
    }

    #[test]
    fn unknown_fields_are_kept_up_to_a_thousand() {
        let form = |fields: usize| "a=b&".repeat(fields);
        let json = |fields: usize| format!("{{{}\"nonce\":1}}", "\"a\":1,".repeat(fields));
        for body in [form(1_000), json(1_000)] {
            assert_eq!(read(body.as_bytes()).unwrap().1.others.len(), 1_000);
        }
        for body in [form(1_001), json(1_001)] {
            assert_eq!(read(body.as_bytes()).unwrap_err(), Malformed::TooManyFields);
        }
    }

    #[test]
    fn control_characters_are_those_of_unicode() {
        for text in ["\0", "a\nb", "\u{7f}", "é\u{85}"] {
            assert!(has_control_character(text), "{text:?}");
        }
        for text in ["", "plain", "é", "日本", "\u{a0}"] {
            assert!(!has_control_character(text), "{text:?}");
        }
    }
}
