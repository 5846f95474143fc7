//! One level of JSON: the members of an object, or the elements of an array, as slices of the text.
//!
//! Numbers stay the digits that came, and strings are not decoded, so nothing is copied. What is nested
//! deeper is checked by `serde_json` and handed over whole.

use std::borrow::Cow;

use memchr::memchr2;
use serde::de::IgnoredAny;

use super::escape;
use crate::refusal::Malformed;

/// A value as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(&'a str),
    Number(&'a str),
    /// A string without escapes.
    Plain(&'a str),
    /// The inside of a string with escapes, which are not checked yet.
    Escaped(&'a str),
    /// A whole array or object.
    Container(&'a str),
}

impl<'a> Value<'a> {
    /// The text of a string or a number.
    pub(crate) fn scalar_text(self) -> Result<Option<Cow<'a, str>>, Malformed> {
        match self {
            Self::Plain(text) | Self::Number(text) => Ok(Some(Cow::Borrowed(text))),
            Self::Escaped(raw) => escape::decode(raw).map(|text| Some(Cow::Owned(text))),
            Self::Null | Self::Bool(_) | Self::Container(_) => Ok(None),
        }
    }
}

/// Reads the object that `text` consists of and hands over its members in their order.
pub(crate) fn read_object<'a>(
    text: &'a str,
    mut on_member: impl FnMut(Cow<'a, str>, Value<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.list(b'{', b'}', |scanner| {
        let name = match scanner.string()? {
            Value::Escaped(raw) => Cow::Owned(escape::decode(raw)?),
            Value::Plain(name) => Cow::Borrowed(name),
            _ => return Err(scanner.unexpected()),
        };
        scanner.expect(b':')?;
        let value = scanner.value()?;
        on_member(name, value)
    })
}

/// Reads the array that `text` consists of.
pub(super) fn read_array<'a>(
    text: &'a str,
    mut on_element: impl FnMut(Value<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.list(b'[', b']', |scanner| {
        let value = scanner.value()?;
        on_element(value)
    })
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
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

    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        match self.after_white_space() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{' | b'[') => self.container(),
            Some(b't') => self.literal("true").map(Value::Bool),
            Some(b'f') => self.literal("false").map(Value::Bool),
            Some(b'n') => self.literal("null").map(|_| Value::Null),
            _ => Err(self.unexpected()),
        }
    }

    fn string(&mut self) -> Result<Value<'a>, Malformed> {
        self.expect(b'"')?;
        let begin = self.at;
        let mut has_escapes = false;
        loop {
            let stop = memchr2(b'"', b'\\', self.rest());
            self.at += stop.ok_or(self.unexpected_at_end())?;
            if self.peek() == Some(b'"') {
                break;
            }
            // Whatever is escaped, a quote above all, does not end the string.
            has_escapes = true;
            self.at += 2;
        }
        let inside = self.slice(begin)?;
        if let Some(control) = position_of_control(inside) {
            self.at = begin + control;
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(if has_escapes {
            Value::Escaped(inside)
        } else {
            Value::Plain(inside)
        })
    }

    fn number(&mut self) -> Result<Value<'a>, Malformed> {
        let begin = self.at;
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
        self.slice(begin).map(Value::Number)
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

    fn container(&mut self) -> Result<Value<'a>, Malformed> {
        let begin = self.at;
        let rest = self.text.get(begin..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        let valid = matches!(values.next(), Some(Ok(_)));
        self.at += values.byte_offset();
        if valid {
            self.slice(begin).map(Value::Container)
        } else {
            Err(self.unexpected())
        }
    }

    fn literal(&mut self, literal: &str) -> Result<&'a str, Malformed> {
        let begin = self.at;
        if !self.rest().starts_with(literal.as_bytes()) {
            return Err(self.unexpected());
        }
        self.at += literal.len();
        self.slice(begin)
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

    fn slice(&self, begin: usize) -> Result<&'a str, Malformed> {
        self.text.get(begin..self.at).ok_or(self.unexpected())
    }

    fn unexpected(&self) -> Malformed {
        Malformed::Json { offset: self.at }
    }

    fn unexpected_at_end(&self) -> Malformed {
        Malformed::Json {
            offset: self.text.len(),
        }
    }
}

/// Where the first byte is that must not stand in a string as it is. There is hardly ever one, so that
/// all bytes are looked at together first, many at a time.
fn position_of_control(text: &str) -> Option<usize> {
    let is_control = |byte: u8| byte < 0x20;
    let any = text.bytes().fold(false, |any, byte| any | is_control(byte));
    if any {
        text.bytes().position(is_control)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `value` is taken for one value, by us and by `serde_json`.
    fn agree(value: &str) {
        let text = format!("[{value}]");
        // Escapes are judged when the string is decoded.
        let ours = read_array(&text, |value| value.scalar_text().map(drop)).is_ok();
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
            members.push((name.into_owned(), value));
            Ok(())
        })
        .unwrap();
        let expected = [
            ("a", Value::Number("1.50")),
            ("b", Value::Escaped(r"x\ty")),
            ("c", Value::Container("[ 1 ]")),
            ("d", Value::Null),
            ("a", Value::Bool("true")),
        ];
        assert_eq!(
            members,
            expected.map(|(name, value)| (name.to_owned(), value))
        );
    }
}
