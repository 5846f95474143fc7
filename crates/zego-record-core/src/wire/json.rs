//! JSON bodies.

use std::borrow::Cow;

use super::scan::{Value, read_object};
use super::{Fields, escape};
use crate::field::Field;
use crate::refusal::Malformed;

/// Arrays and objects may be nested this deep, the document itself being the first level. It bounds
/// the recursion of [`canonical`](super::canonical()); reading itself does not recurse.
pub(super) const MAX_DEPTH: usize = 128;

pub(super) const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

pub(super) fn read(text: &str) -> Result<Fields<'_>, Malformed> {
    let mut fields = Fields::default();
    read_object(text, |name, value| {
        if let Value::Container(json) = value {
            if is_deeper_than(json, MAX_DEPTH - 1) {
                return Err(Malformed::TooDeep);
            }
            // serde_json passes over half a surrogate pair in what it only checks.
            escape::check(json)?;
        }
        match (Field::from_name(&name), value) {
            (Some(field), Value::Null) => fields.insert(field, None),
            (Some(Field::ExtraParams), Value::Escaped(raw)) => {
                fields.insert_escaped_extra_params(raw)
            }
            (Some(Field::ExtraParams), Value::Container(json)) if json.starts_with('{') => {
                fields.insert(Field::ExtraParams, Some(without_white_space(json)))
            }
            (Some(field), Value::Bool(_) | Value::Container(_)) => Err(Malformed::WrongType(field)),
            (Some(field), value) => fields.insert(field, value.scalar_text()?),
            (None, Value::Null) => Ok(()),
            (None, Value::Bool(json) | Value::Container(json)) => {
                fields.push_other(name, Cow::Borrowed(json))
            }
            (None, value) => fields.push_other(name, value.scalar_text()?.unwrap_or_default()),
        }
    })?;
    Ok(fields)
}

/// Whether `json`, which is valid, consists of more levels of arrays and objects. None has more than
/// opening brackets, and those are quickly counted.
pub(super) fn is_deeper_than(json: &str, most: usize) -> bool {
    let is_opening = |byte: &u8| matches!(byte, b'{' | b'[');
    let openings = json.bytes().filter(is_opening).count();
    openings > most && depth(json) > most
}

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
        let json = |offset| Malformed::Json { offset };
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
            (r#"{"unknown":["\ud800"]}"#, Malformed::BrokenEscape),
            (
                r#"{"extra_params":{"x":"\udc00"}}"#,
                Malformed::BrokenEscape,
            ),
            (r#"{"nonce":1}x"#, json(11)),
            (r#"{"nonce":1}{}"#, json(11)),
            (r#"{"nonce":1,}"#, json(11)),
            (r#"{"nonce":01}"#, json(10)),
            (r#"{"nonce":1"#, json(10)),
            (r#"{nonce:1}"#, json(1)),
            ("{\"nonce\":\"a\nb\"}", json(11)),
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
}
