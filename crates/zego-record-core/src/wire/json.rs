//! JSON bodies, read by `serde_json` into slices of the body.
//!
//! Every value is first taken as its raw text: so a number keeps the digits that were signed, and a
//! string without escapes is borrowed.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Fields;
use crate::field::Field;
use crate::refusal::Malformed;

/// Arrays and objects may be nested this deep, the document itself being the first level. It bounds
/// the recursion of [`canonical`]; reading itself does not recurse.
const MAX_DEPTH: usize = 128;

pub(super) const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

pub(super) fn read(text: &str) -> Result<Fields<'_>, Malformed> {
    let mut fields = Fields::default();
    read_object(text, &mut |name, value| {
        let scalar = Scalar::read(value)?;
        if let Scalar::Container(json) = scalar
            && depth(json) >= MAX_DEPTH
        {
            return Err(Malformed::TooDeep);
        }
        match (Field::from_name(&name), scalar) {
            (Some(field), Scalar::Null) => fields.insert(field, None),
            (Some(field), Scalar::Text(text)) => fields.insert(field, Some(text)),
            (Some(field), Scalar::Number(digits)) => {
                fields.insert(field, Some(Cow::Borrowed(digits)))
            }
            (Some(Field::ExtraParams), Scalar::Container(json)) if json.starts_with('{') => {
                fields.insert(Field::ExtraParams, Some(without_white_space(json)))
            }
            (Some(field), Scalar::Bool(_) | Scalar::Container(_)) => {
                Err(Malformed::WrongType(field))
            }
            (None, Scalar::Null) => Ok(()),
            (None, Scalar::Text(text)) => fields.push_other(name, text),
            (None, Scalar::Number(json) | Scalar::Bool(json) | Scalar::Container(json)) => {
                fields.push_other(name, Cow::Borrowed(json))
            }
        }
    })?;
    Ok(fields)
}

/// A JSON value, one level deep: strings decoded, numbers and containers as they stand in the text.
#[derive(Debug)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(&'a str),
    Number(&'a str),
    Text(Cow<'a, str>),
    Container(&'a str),
}

impl<'a> Scalar<'a> {
    pub(crate) fn read(value: &'a RawValue) -> Result<Self, Malformed> {
        let raw = value.get();
        Ok(match raw.as_bytes().first() {
            Some(b'"') => Self::Text(decode_string(raw)?),
            Some(b'{' | b'[') => Self::Container(raw),
            Some(b't' | b'f') => Self::Bool(raw),
            Some(b'n') => Self::Null,
            _ => Self::Number(raw),
        })
    }
}

/// Reads the object that `text` consists of and hands over its members in their order.
pub(crate) fn read_object<'a, F>(text: &'a str, on_member: &mut F) -> Result<(), Malformed>
where
    F: FnMut(Cow<'a, str>, &'a RawValue) -> Result<(), Malformed>,
{
    let mut problem = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = deserializer
        .deserialize_map(Members {
            on_member,
            problem: &mut problem,
        })
        .and_then(|()| deserializer.end());
    match (problem, read) {
        (Some(problem), _) => Err(problem),
        (None, Err(error)) => Err(Malformed::Json {
            line: error.line(),
            column: error.column(),
        }),
        (None, Ok(())) => Ok(()),
    }
}

/// One text for all ways to write the same array or object: no white space, members sorted by name,
/// strings escaped in one way. Numbers stay as they are. `None` if it is neither.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let value: &RawValue = serde_json::from_str(text).ok()?;
    let container = value.get().starts_with(['{', '[']) && depth(value.get()) <= MAX_DEPTH;
    let mut canonical = String::with_capacity(text.len());
    (container && write_canonical(value, &mut canonical).is_ok()).then_some(canonical)
}

fn write_canonical(value: &RawValue, out: &mut String) -> Result<(), Malformed> {
    match Scalar::read(value)? {
        Scalar::Text(text) => write_string(&text, out),
        Scalar::Container(json) if json.starts_with('{') => {
            let mut members = Vec::new();
            read_object(json, &mut |name, value| {
                members.push((name, value));
                Ok(())
            })?;
            // Stable: members of the same name keep their order, which may mean something.
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            write_list('{', members, '}', out, |(name, value), out| {
                write_string(&name, out);
                out.push(':');
                write_canonical(value, out)
            })?;
        }
        Scalar::Container(json) => {
            let elements: Vec<&RawValue> =
                serde_json::from_str(json).map_err(|_| Malformed::BrokenEscape)?;
            write_list('[', elements, ']', out, write_canonical)?;
        }
        Scalar::Null => out.push_str("null"),
        Scalar::Bool(json) | Scalar::Number(json) => out.push_str(json),
    }
    Ok(())
}

fn write_list<T>(
    open: char,
    items: Vec<T>,
    close: char,
    out: &mut String,
    mut write: impl FnMut(T, &mut String) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out)?;
    }
    out.push(close);
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn decode_string(raw: &str) -> Result<Cow<'_, str>, Malformed> {
    match raw.get(1..raw.len() - 1) {
        Some(inner) if !inner.contains('\\') => Ok(Cow::Borrowed(inner)),
        _ => serde_json::from_str(raw)
            .map(Cow::Owned)
            .map_err(|_| Malformed::BrokenEscape),
    }
}

/// How many levels of arrays and objects `json`, which is valid, consists of.
fn depth(json: &str) -> usize {
    let (mut level, mut deepest) = (0_usize, 0);
    for (character, _) in characters(json).filter(|(_, in_string)| !in_string) {
        match character {
            '{' | '[' => {
                level += 1;
                deepest = deepest.max(level);
            }
            '}' | ']' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// An object given where a string is documented is read as if it had been that string; its line
/// breaks belong to the document and not to the value.
fn without_white_space(json: &str) -> Cow<'_, str> {
    if !json.contains(WHITE_SPACE) {
        return Cow::Borrowed(json);
    }
    let kept = characters(json)
        .filter(|(character, in_string)| *in_string || !WHITE_SPACE.contains(character));
    Cow::Owned(kept.map(|(character, _)| character).collect())
}

/// The characters of a valid JSON text, each with whether it stands inside of a string.
fn characters(json: &str) -> impl Iterator<Item = (char, bool)> + '_ {
    let mut in_string = false;
    let mut escaped = false;
    json.chars().map(move |character| {
        let inside = in_string;
        if character == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && character == '\\' && !escaped;
        (character, inside)
    })
}

struct Members<'m, F> {
    on_member: &'m mut F,
    problem: &'m mut Option<Malformed>,
}

impl<'a, F> Visitor<'a> for Members<'_, F>
where
    F: FnMut(Cow<'a, str>, &'a RawValue) -> Result<(), Malformed>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name)? {
            if let Err(problem) = (self.on_member)(name, map.next_value()?) {
                *self.problem = Some(problem);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// A member's name, borrowed unless it has escapes (`Cow`'s own implementation never borrows).
struct Name;

impl<'a> DeserializeSeed<'a> for Name {
    type Value = Cow<'a, str>;

    fn deserialize<D: serde::Deserializer<'a>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Name {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'a str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_through_unchanged() {
        let fields =
            read(r#"{"nonce":12345678901234567890,"appid":1.0e2,"x":98765432109876543210}"#)
                .unwrap();
        assert_eq!(fields.get(Field::Nonce), Some("12345678901234567890"));
        assert_eq!(fields.get(Field::Appid), Some("1.0e2"));
        assert_eq!(fields.others[0].1, "98765432109876543210");
    }

    #[test]
    fn null_is_absent_but_has_been_seen() {
        let fields = read(r#"{"nonce":null,"unknown":null}"#).unwrap();
        assert_eq!(fields.get(Field::Nonce), None);
        assert!(fields.others.is_empty());
        assert_eq!(
            read(r#"{"nonce":null,"nonce":1}"#).unwrap_err(),
            Malformed::Twice(Field::Nonce)
        );
    }

    #[test]
    fn strict_where_two_readers_could_disagree() {
        let json = |line, column| Malformed::Json { line, column };
        for (body, expected) in [
            (r#"{"nonce":1,"nonce":2}"#, Malformed::Twice(Field::Nonce)),
            (
                r#"{"nonce":1,"\u006eonce":2}"#,
                Malformed::Twice(Field::Nonce),
            ),
            (r#"{"nonce":true}"#, Malformed::WrongType(Field::Nonce)),
            (r#"{"nonce":[1]}"#, Malformed::WrongType(Field::Nonce)),
            (r#"{"nonce":{}}"#, Malformed::WrongType(Field::Nonce)),
            (
                r#"{"extra_params":[]}"#,
                Malformed::WrongType(Field::ExtraParams),
            ),
            (
                r#"{"nonce":"\u0000"}"#,
                Malformed::ControlCharacter(Field::Nonce),
            ),
            (
                r#"{"nonce":"a\nb"}"#,
                Malformed::ControlCharacter(Field::Nonce),
            ),
            (r#"{"nonce":"\ud800"}"#, Malformed::BrokenEscape),
            (r#"{"unknown":"\ud800"}"#, Malformed::BrokenEscape),
            (r#"{"nonce":1}x"#, json(1, 12)),
            (r#"{"nonce":1}{}"#, json(1, 12)),
            (r#"{"nonce":1,}"#, json(1, 12)),
            (r#"{"nonce":01}"#, json(1, 11)),
            (r#"{"nonce":1"#, json(1, 10)),
            (r#"{nonce:1}"#, json(1, 2)),
            ("{\"nonce\":\"a\nb\"}", json(1, 11)),
        ] {
            assert_eq!(read(body).unwrap_err(), expected, "{body}");
        }
        assert!(read(r#"{"x":1,"x":2}"#).is_ok(), "unknown names may repeat");
    }

    #[test]
    fn nesting_ends_at_128_levels() {
        let nested =
            |levels: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(read(&nested(127)).is_ok());
        assert_eq!(read(&nested(128)).unwrap_err(), Malformed::TooDeep);
        assert_eq!(read(&nested(30_000)).unwrap_err(), Malformed::TooDeep);
        assert!(
            read(r#"{"x":"[[[\"[[["}"#).is_ok(),
            "brackets in strings are no nesting"
        );
    }

    #[test]
    fn an_object_is_read_as_the_string_it_could_have_been() {
        let fields = read("{\"extra_params\": {\n  \"a b\" : \"c \\\" d\"\n} }").unwrap();
        assert_eq!(fields.get(Field::ExtraParams), Some(r#"{"a b":"c \" d"}"#));
    }

    #[test]
    fn canonical_text_is_the_same_for_the_same_content() {
        let expected = r#"{"a":[1.50,null,true,{}],"b":"é\n\"","b":2}"#;
        for text in [
            r#"{"a":[1.50,null,true,{}],"b":"é\n\"","b":2}"#,
            " { \"b\" : \"\\u00e9\\n\\u0022\", \"b\":2, \"\\u0061\": [ 1.50 , null, true, { } ] } ",
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "plain words",
            "12",
            "\"x\"",
            "null",
            "{",
            "{}x",
            r#"{"a":"\ud800"}"#,
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
        assert_eq!(canonical(&"[".repeat(60_000)), None);
        assert_eq!(
            canonical(&format!("{}{}", "[".repeat(129), "]".repeat(129))),
            None
        );
        assert!(canonical(&format!("{}{}", "[".repeat(128), "]".repeat(128))).is_some());
    }
}
