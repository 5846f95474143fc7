//! One level of JSON: the members of an object, or the elements of an array, as pieces of the text.
//!
//! Numbers stay the digits that came, and strings are checked but not decoded, so nothing is copied. What
//! is nested deeper is checked by `serde_json` and handed over whole.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::text::{Span, Text};
use super::{escape, find, has_control_character, is_printable_ascii};
use crate::rejection::Malformed;

/// A value as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(Span),
    Number(Span),
    String(Quoted),
    /// A whole array or object.
    Container(Span),
}

impl Value {
    /// The text of a string or a number.
    pub(crate) fn scalar_text(self, text: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::String(string) => Some(string.decode(text)),
            Self::Number(digits) => Some(Cow::Borrowed(digits.of(text))),
            Self::Null | Self::Bool(_) | Self::Container(_) => None,
        }
    }
}

/// A valid string: what stands between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    pub(super) inside: Span,
    pub(super) has_escapes: bool,
    /// Whether there is a control character in what it stands for.
    pub(super) has_control: bool,
}

impl Quoted {
    pub(crate) fn decode(self, text: &str) -> Cow<'_, str> {
        let raw = self.inside.of(text);
        if self.has_escapes {
            Cow::Owned(escape::decode(raw))
        } else {
            Cow::Borrowed(raw)
        }
    }

    pub(super) fn into_text(self) -> Text {
        if self.has_escapes {
            Text::Escaped(self.inside)
        } else {
            Text::Plain(self.inside)
        }
    }
}

/// Reads the object that `text` consists of and hands over its members in their order.
pub(crate) fn read_object(
    text: &str,
    mut on_member: impl FnMut(Quoted, Value) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut scanner = Scanner::new(text);
    scanner.list(b'{', b'}', |scanner| {
        let name = scanner.string()?;
        scanner.expect(b':')?;
        let value = scanner.value()?;
        on_member(name, value)
    })
}

/// Reads the array that `text` consists of.
pub(super) fn read_array(
    text: &str,
    mut on_element: impl FnMut(Value) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut scanner = Scanner::new(text);
    scanner.list(b'[', b']', |scanner| {
        let value = scanner.value()?;
        on_element(value)
    })
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// There is no control character in such a text, which need not be looked for in each string.
    is_printable_ascii: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            is_printable_ascii: is_printable_ascii(text),
        }
    }

    /// The whole text: an opening byte, items between commas, a closing byte.
    fn list(
        &mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(open)?;
        if self.after_white_space() == Some(close) {
            self.at += 1;
        } else {
            loop {
                item(self)?;
                match self.after_white_space() {
                    Some(b',') => self.at += 1,
                    Some(byte) if byte == close => break self.at += 1,
                    _ => return Err(self.unexpected()),
                }
            }
        }
        match self.after_white_space() {
            None => Ok(()),
            Some(_) => Err(self.unexpected()),
        }
    }

    #[inline(always)]
    fn value(&mut self) -> Result<Value, Malformed> {
        match self.after_white_space() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{' | b'[') => self.container(),
            Some(b't') => self.literal("true").map(Value::Bool),
            Some(b'f') => self.literal("false").map(Value::Bool),
            Some(b'n') => self.literal("null").map(|_| Value::Null),
            _ => Err(self.unexpected()),
        }
    }

    // Here and where values are taken in: what is returned through memory is read back before it has
    // arrived there, which made a sixth of the time for a forged body.
    #[inline(always)]
    fn string(&mut self) -> Result<Quoted, Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        let is_usual = self.find_quote_or_escape()? == b'"' && self.is_printable_ascii;
        let (has_escapes, has_control) = if is_usual {
            (false, false)
        } else {
            self.rest_of_unusual_string(start)?
        };
        let inside = self.since(start);
        self.at += 1;
        Ok(Quoted {
            inside,
            has_escapes,
            has_control,
        })
    }

    /// From the first quote or escape of a string to its end: whether there are escapes, and a control
    /// character in what it stands for. Apart, since most strings are not like that.
    #[inline(never)]
    fn rest_of_unusual_string(&mut self, start: usize) -> Result<(bool, bool), Malformed> {
        let (mut has_escapes, mut has_control) = (false, false);
        while self.peek() == Some(b'\\') {
            let (character, length) = escape::first(self.rest())?;
            has_escapes = true;
            has_control |= character.is_control();
            self.at += length;
            self.find_quote_or_escape()?;
        }
        if !self.is_printable_ascii {
            has_control |= self.has_control(self.since(start))?;
        }
        Ok((has_escapes, has_control))
    }

    fn find_quote_or_escape(&mut self) -> Result<u8, Malformed> {
        let rest = self.rest();
        let Some(at) = find::either(b'"', b'\\', rest) else {
            self.at = self.text.len();
            return Err(self.unexpected());
        };
        self.at += at;
        Ok(rest[at])
    }

    /// Whether there is a control character in a string that JSON lets stand there as it is.
    fn has_control(&mut self, inside: Span) -> Result<bool, Malformed> {
        let raw = inside.of(self.text);
        if let Some(control) = raw.bytes().position(|byte| byte < 0x20) {
            self.at = inside.start + control;
            return Err(self.unexpected());
        }
        Ok(has_control_character(raw))
    }

    fn number(&mut self) -> Result<Value, Malformed> {
        let start = self.at;
        self.skip(b"-");
        if !self.skip(b"0") {
            self.digits()?;
        }
        if self.skip(b".") {
            self.digits()?;
        }
        if self.skip(b"eE") {
            self.skip(b"+-");
            self.digits()?;
        }
        Ok(Value::Number(self.since(start)))
    }

    /// One digit at least.
    fn digits(&mut self) -> Result<(), Malformed> {
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > begin {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn container(&mut self) -> Result<Value, Malformed> {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        let valid = matches!(values.next(), Some(Ok(_)));
        self.at += values.byte_offset();
        if valid {
            Ok(Value::Container(self.since(start)))
        } else {
            Err(self.unexpected())
        }
    }

    fn literal(&mut self, literal: &str) -> Result<Span, Malformed> {
        let start = self.at;
        if !self.rest().starts_with(literal.as_bytes()) {
            return Err(self.unexpected());
        }
        self.at += literal.len();
        Ok(self.since(start))
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.after_white_space() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    /// Whether the next byte is one of these; then it is passed over.
    fn skip(&mut self, bytes: &[u8]) -> bool {
        let skips = self.peek().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(skips);
        skips
    }

    fn after_white_space(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn since(&self, start: usize) -> Span {
        Span {
            start,
            end: self.at,
        }
    }

    fn unexpected(&self) -> Malformed {
        Malformed::Json { offset: self.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `value` is taken for one value, by us and by `serde_json`.
    fn agree(value: &str) {
        let text = format!("[{value}]");
        let ours = read_array(&text, |_| Ok(())).is_ok();
        let usual =
            serde_json::from_str::<Vec<IgnoredAny>>(&text).is_ok_and(|values| values.len() == 1);
        // An empty text is an empty array to both.
        assert_eq!(
            ours && !value.trim().is_empty() && count(&text) == 1,
            usual,
            "{value:?}"
        );
    }

    fn count(text: &str) -> usize {
        let mut count = 0;
        let _ = read_array(text, |_| {
            count += 1;
            Ok(())
        });
        count
    }

    #[test]
    fn values_are_those_of_serde_json() {
        for value in [
            "0",
            "-0",
            "-",
            "1",
            "12",
            "01",
            "-01",
            "1.",
            "1.5",
            ".5",
            "1.5.5",
            "1e5",
            "1E+5",
            "1e-5",
            "1e",
            "1e+",
            "1.e5",
            "+1",
            "12345678901234567890123",
            "1_0",
            "0x1",
            "NaN",
            "Infinity",
            "true",
            "tru",
            "truex",
            "false",
            "null",
            "nul",
            "nullnull",
            "\"\"",
            "\"a\"",
            "\"a",
            "a\"",
            "\"\\\"\"",
            "\"\\\\\"",
            "\"\\",
            "\"\t\"",
            "\"\u{0}\"",
            "\"é日\"",
            "{}",
            "[]",
            "{\"a\":[1,{}]}",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1",
            "[\"]\"]",
            "{\"a\":1}}",
            " 1 ",
            "\n\"a\"\t",
            "\u{b}1",
            "\u{a0}1",
            "1 2",
            "1,2",
            "",
            "\"a\"\"b\"",
        ] {
            agree(value);
        }
    }

    #[test]
    fn every_short_text_of_the_grammars_bytes_is_judged_as_serde_json_does() {
        let bytes = [
            "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "1", "-", ".", "e", "n", " ",
        ];
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            texts = texts
                .iter()
                .flat_map(|text| bytes.map(|byte| format!("{text}{byte}")))
                .collect();
            texts.iter().for_each(|text| agree(text));
        }
    }

    #[test]
    fn members_come_in_their_order_as_they_stand_in_the_text() {
        let mut members = Vec::new();
        let text = r#" { "a" : 1.50 , "\u0062":"x\ty", "c":[ 1 ] ,"d":null,"a":true } "#;
        read_object(text, |name, value| {
            let value = match value {
                Value::Null => "null",
                Value::String(string) => string.inside.of(text),
                Value::Bool(span) | Value::Number(span) | Value::Container(span) => span.of(text),
            };
            members.push((name.decode(text), value));
            Ok(())
        })
        .unwrap();
        let expected = [
            ("a", "1.50"),
            ("b", r"x\ty"),
            ("c", "[ 1 ]"),
            ("d", "null"),
            ("a", "true"),
        ];
        assert_eq!(members, expected.map(|(name, value)| (name.into(), value)));
    }
}
