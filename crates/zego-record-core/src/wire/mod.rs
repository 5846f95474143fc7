//! From bytes to fields: the only place where what a peer sent is parsed.
//!
//! The documentation names JSON and form bodies and hints at a JSON body that is percent-encoded as a
//! whole; it does not name a Content-Type. So the first byte decides, and headers are never asked.

mod canonical;
mod document;
mod escape;
mod find;
mod form;
mod json;
mod nested;
mod nodes;
mod percent;
mod scan;
mod text;

use std::borrow::Cow;

pub(crate) use canonical::write_canonical;
pub(crate) use document::Document;
use document::Fields;
pub(crate) use scan::{Value, read_object};

use crate::rejection::Malformed;

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

/// How a JSON object begins that was percent-encoded as a whole.
const ENCODED_BRACE: &str = "%7b";

/// Reads a body in whichever form it came.
pub(crate) fn read(body: &[u8]) -> Result<Document<'_>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.trim_matches(json::WHITE_SPACE);
    let (form, text) = if text.starts_with('{') {
        (WireForm::Json, Cow::Borrowed(text))
    } else if text::starts_with(text.bytes(), ENCODED_BRACE) {
        (WireForm::EncodedJson, percent::decode(text)?)
    } else {
        (WireForm::Form, Cow::Borrowed(text))
    };
    let mut fields = Fields::default();
    match form {
        WireForm::Json | WireForm::EncodedJson => json::read(&text, &mut fields)?,
        WireForm::Form => form::read(&text, &mut fields)?,
    }
    Ok(Document { form, text, fields })
}

/// Whether there are only the printable characters of ASCII in a text. Of nearly every body that is
/// true, and it is told of many bytes at a time.
fn is_printable_ascii(text: &str) -> bool {
    let is_other = |byte: u8| !(0x20..0x7f).contains(&byte);
    !text.bytes().fold(false, |any, byte| any | is_other(byte))
}

/// As `char::is_control`.
pub(crate) fn has_control_character(text: &str) -> bool {
    !is_printable_ascii(text) && text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(read(body.as_bytes()).unwrap().form(), form, "{body:?}");
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
