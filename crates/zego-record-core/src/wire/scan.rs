//! One level of JSON: the members of an object, as pieces of the text.
//!
//! Numbers stay the digits that came, and strings are checked but not decoded, so nothing is copied. What
//! is nested deeper is checked, and handed over whole.

use std::borrow::Cow;

use super::nested::MAX_DEPTH;
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

    pub(super) fn with_quotes(self) -> Span {
        Span {
            start: self.inside.start - 1,
            end: self.inside.end + 1,
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
    scanner.expect(b'{')?;
    if scanner.after_white_space() == Some(b'}') {
        scanner.advance();
    } else {
        loop {
            let name = scanner.name()?;
            let value = scanner.value()?;
            on_member(name, value)?;
            match scanner.after_white_space() {
                Some(b',') => scanner.advance(),
                Some(b'}') => break scanner.advance(),
                _ => return Err(scanner.unexpected()),
            }
        }
    }
    if scanner.is_at_end() {
        Ok(())
    } else {
        Err(scanner.unexpected())
    }
}

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// There is no control character in such a text, which need not be looked for in each string.
    is_printable_ascii: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            is_printable_ascii: is_printable_ascii(text),
        }
    }

    #[inline(always)]
    fn value(&mut self) -> Result<Value, Malformed> {
        match self.after_white_space() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.plain().map(Value::Number),
            // The object around it is the first level.
            Some(b'{' | b'[') => self.walk(MAX_DEPTH - 1, |_| ()).map(Value::Container),
            Some(b'n') => self.plain().map(|_| Value::Null),
            _ => self.plain().map(Value::Bool),
        }
    }

    /// A number, `true`, `false` or `null`, with no white space before it.
    #[inline(always)]
    pub(super) fn plain(&mut self) -> Result<Span, Malformed> {
        let start = self.at;
        let is_there = match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => false,
        };
        if is_there {
            Ok(self.since(start))
        } else {
            Err(self.unexpected())
        }
    }

    /// The name of a member, and the colon after it.
    #[inline(always)]
    pub(super) fn name(&mut self) -> Result<Quoted, Malformed> {
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    // Here and where values are taken in: what is returned through memory is read back before it has
    // arrived there, which made a sixth of the time for a forged body.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<Quoted, Malformed> {
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
            let (character, length) = escape::first(self.rest()).ok_or(Malformed::BrokenEscape)?;
            has_escapes = true;
            has_control |= character.is_control();
            self.at += length;
            // Often there is another one right behind.
            if self.peek() != Some(b'\\') {
                self.find_quote_or_escape()?;
            }
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

    /// Passes over a number; false if there is none. It returns no more than that, since it is called for
    /// every second byte of some bodies.
    fn number(&mut self) -> bool {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else if !self.digits() {
            return false;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.digits() {
                return false;
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            return self.digits();
        }
        true
    }

    /// One digit at least.
    #[inline(always)]
    fn digits(&mut self) -> bool {
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > begin
    }

    fn literal(&mut self, literal: &str) -> bool {
        let is_there = self.rest().starts_with(literal.as_bytes());
        if is_there {
            self.at += literal.len();
        }
        is_there
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.after_white_space() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    #[inline(always)]
    pub(super) fn after_white_space(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    /// `{}` or `[]`, if it stands here.
    #[inline(always)]
    pub(super) fn empty(&mut self) -> Option<Span> {
        let start = self.at;
        if !matches!(self.rest(), [b'{', b'}', ..] | [b'[', b']', ..]) {
            return None;
        }
        self.at += 2;
        Some(self.since(start))
    }

    /// Whether nothing but white space is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.after_white_space().is_none()
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Passes over a byte that was looked at.
    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    pub(super) fn since(&self, start: usize) -> Span {
        Span {
            start,
            end: self.at,
        }
    }

    pub(super) fn unexpected(&self) -> Malformed {
        Malformed::Json { offset: self.at }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    /// Whether `value` is taken for one value, by us and by `serde_json`.
    fn agree(value: &str) {
        let usual = serde_json::from_str::<IgnoredAny>(value).is_ok();
        let member = format!("{{\"a\":{value}}}");
        let mut members = 0;
        let read = read_object(&member, |_, _| {
            members += 1;
            Ok(())
        });
        assert_eq!(read.is_ok() && members == 1, usual, "{value:?}");
        let mut scanner = Scanner::new(value);
        let walked = scanner.walk(MAX_DEPTH, |_| ()).is_ok() && scanner.is_at_end();
        assert_eq!(walked, usual, "{value:?}");
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
