//! What a body holds.

use std::borrow::Cow;

use super::text::Text;
use super::{WireForm, has_control_character, percent};
use crate::field::Field;
use crate::rejection::Malformed;

/// So many fields that the protocol does not define are kept. It bounds what a body without a signature
/// can make us allocate, and is a hundred times what ZEGOCLOUD has ever been seen to send.
const MAX_OTHERS: usize = 1_000;

/// A body that was read.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    pub(super) form: WireForm,
    /// The body, or what it says if it was percent-encoded as a whole.
    pub(super) text: Cow<'a, str>,
    pub(super) fields: Fields,
}

impl Document<'_> {
    pub(crate) fn form(&self) -> WireForm {
        self.form
    }

    /// How long it is, decoded as a whole.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The text of a field that takes part in the signature, or says which secret it is to be checked
    /// with.
    pub(crate) fn signed(&self, field: Field) -> Option<&str> {
        self.fields.known[field as usize]
            .as_ref()?
            .as_str(&self.text)
    }

    /// The text of any documented field.
    pub(crate) fn get(&self, field: Field) -> Option<Cow<'_, str>> {
        let text = self.fields.known[field as usize].as_ref()?;
        Some(text.decode(&self.text))
    }

    /// The fields that the protocol does not define, in their order: name and text (of a JSON array or
    /// object, the JSON).
    pub(crate) fn others(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let decode = |text| Text::decode(text, &self.text);
        self.fields
            .others
            .iter()
            .map(move |(name, text)| (decode(name), decode(text)))
    }
}

/// The documented fields by position, and all others in their order.
#[derive(Debug, Default)]
pub(super) struct Fields {
    known: [Option<Text>; Field::COUNT],
    seen: [bool; Field::COUNT],
    others: Vec<(Text, Text)>,
}

impl Fields {
    /// Takes in a documented field. `None` is JSON's null, which counts as absent; `has_control` says
    /// whether what the text stands for has a control character.
    #[inline(always)]
    pub(super) fn insert(
        &mut self,
        document: &str,
        field: Field,
        text: Option<Text>,
        mut has_control: bool,
    ) -> Result<(), Malformed> {
        if std::mem::replace(&mut self.seen[field as usize], true) {
            return Err(Malformed::Twice(field));
        }
        let Some(mut text) = text else {
            return Ok(());
        };
        if let Some(decoded) = decode_where_documented(document, field, &text) {
            has_control |= has_control_character(&decoded);
            text = Text::Owned(decoded);
        }
        if has_control {
            return Err(Malformed::ControlCharacter(field));
        }
        if is_signed(field) && text.as_str(document).is_none() {
            text = Text::Owned(text.decode(document).into_owned());
        }
        self.known[field as usize] = Some(text);
        Ok(())
    }

    /// Takes in a field that the protocol does not define.
    pub(super) fn push_other(&mut self, name: Text, text: Text) -> Result<(), Malformed> {
        if self.others.len() == MAX_OTHERS {
            return Err(Malformed::TooManyFields);
        }
        self.others.push((name, text));
        Ok(())
    }
}

/// What is needed before the signature is known to be right, and therefore decoded at once.
fn is_signed(field: Field) -> bool {
    matches!(
        field,
        Field::Signature | Field::Timestamp | Field::Nonce | Field::Appid
    )
}

/// Values are never decoded a second time, since signed URLs contain live `%2F` and `+`. The two
/// exceptions look like an encoded URL and an encoded JSON object; one that only looks like it, and
/// cannot be decoded, is kept as it came, since neither has to be a URL or JSON at all.
fn decode_where_documented(document: &str, field: Field, text: &Text) -> Option<String> {
    let prefixes: &[&str] = match field {
        Field::ReplayUrl => &["http%3a%2f%2f", "https%3a%2f%2f"],
        Field::ExtraParams => &[super::ENCODED_BRACE],
        _ => return None,
    };
    // Nearly all are told by their first bytes: in each prefix, or in an escape for it, is one of these.
    let mut first_bytes = text.raw(document).bytes().take("https%".len());
    if !first_bytes.any(|byte| matches!(byte, b'%' | b'\\')) {
        return None;
    }
    if !prefixes
        .iter()
        .any(|prefix| text.starts_with(document, prefix))
    {
        return None;
    }
    let decoded = percent::decode(&text.decode(document)).map(Cow::into_owned);
    decoded.ok()
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn replay_url(body: &str) -> Result<String, Malformed> {
        let document = read(body.as_bytes())?;
        Ok(document
            .get(Field::ReplayUrl)
            .unwrap_or_default()
            .into_owned())
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
            (
                r#"{"replay_url":"\u0068ttps%3A%2F%2Fh\u0025252F\/"}"#,
                "https://h%2F/",
            ),
            (r#"{"replay_url":"https:\/\/h\/%2F"}"#, "https://h/%2F"),
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
    fn extra_params_are_decoded_once_if_they_look_like_an_encoded_object() {
        for (body, expected) in [
            (r#"{"extra_params":"%7B%22a%22%3A+%25%7D"}"#, r#"{"a": %}"#),
            (r#"{"extra_params":"\u00257b%7d"}"#, "{}"),
            ("extra_params=%257Bb%257D", "{b}"),
            (r#"{"extra_params":"%7B%2"}"#, "%7B%2"),
            (r#"{"extra_params":"a%7B+b"}"#, "a%7B+b"),
        ] {
            let document = read(body.as_bytes()).unwrap();
            let text = document.get(Field::ExtraParams);
            assert_eq!(text.as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn what_is_signed_is_there_in_whatever_way_it_is_written() {
        for body in [
            r#"{"nonce":"a-1"}"#,
            r#"{"nonce":"\u0061-1"}"#,
            "nonce=a-1",
            "nonce=%61-1",
            "%7B%22nonce%22%3A%22a-1%22%7D",
        ] {
            let document = read(body.as_bytes()).unwrap();
            assert_eq!(document.signed(Field::Nonce), Some("a-1"), "{body}");
        }
    }

    #[test]
    fn before_the_signature_is_checked_no_more_is_copied_than_that_takes() {
        let document = read(br#"{"nonce":"1","appid":"\u0031","stream_alias":"\u0061"}"#).unwrap();
        let held = |field: Field| document.fields.known[field as usize].as_ref();
        assert!(matches!(held(Field::Nonce), Some(Text::Plain(_))));
        assert!(matches!(held(Field::Appid), Some(Text::Owned(_))));
        assert!(matches!(held(Field::StreamAlias), Some(Text::Escaped(_))));
    }

    #[test]
    fn unknown_fields_are_kept_up_to_a_thousand() {
        let form = |fields: usize| "a=b&".repeat(fields);
        let json = |fields: usize| format!("{{{}\"nonce\":1}}", "\"a\":1,".repeat(fields));
        for body in [form(1_000), json(1_000)] {
            assert_eq!(read(body.as_bytes()).unwrap().others().count(), 1_000);
        }
        for body in [form(1_001), json(1_001)] {
            assert_eq!(read(body.as_bytes()).unwrap_err(), Malformed::TooManyFields);
        }
    }
}
