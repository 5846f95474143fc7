//! JSON bodies.

use super::document::Fields;
use super::has_control_character;
use super::scan::{Value, read_object};
use super::text::{Span, Text};
use crate::field::Field;
use crate::rejection::Malformed;

pub(super) const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

pub(super) fn read(document: &str, fields: &mut Fields) -> Result<(), Malformed> {
    read_object(document, |name, value| {
        let field = Field::from_name(&name.decode(document));
        let (text, has_control) = match (value, field) {
            (Value::Null, _) => (None, false),
            (Value::String(string), _) => (Some(string.into_text()), string.has_control),
            (Value::Number(span), _) | (Value::Bool(span) | Value::Container(span), None) => {
                (Some(Text::Plain(span)), false)
            }
            (Value::Container(json), Some(Field::ExtraParams))
                if json.of(document).starts_with('{') =>
            {
                object_as_text(document, json)
            }
            (Value::Bool(_) | Value::Container(_), Some(field)) => {
                return Err(Malformed::WrongType(field));
            }
        };
        match (field, text) {
            (Some(field), text) => fields.insert(document, field, text, has_control),
            (None, Some(text)) => fields.push_other(name.into_text(), text),
            (None, None) => Ok(()),
        }
    })
}

/// An object given where a string is documented is read as if it had been that string; its line
/// breaks belong to the document and not to the value.
fn object_as_text(document: &str, object: Span) -> (Option<Text>, bool) {
    let json = object.of(document);
    let text = if json.contains(WHITE_SPACE) {
        Text::Owned(without_white_space(json))
    } else {
        Text::Plain(object)
    };
    let has_control = has_control_character(text.raw(document));
    (Some(text), has_control)
}

fn without_white_space(json: &str) -> String {
    let kept = characters(json)
        .filter(|(character, in_string)| *in_string || !WHITE_SPACE.contains(character));
    kept.map(|(character, _)| character).collect()
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
    use crate::wire::Document;

    fn read(body: &str) -> Result<Document<'_>, Malformed> {
        crate::wire::read(body.as_bytes())
    }

    #[test]
    fn digits_come_through_unchanged() {
        let fields =
            read(r#"{"nonce":12345678901234567890,"appid":1.0e2,"x":98765432109876543210}"#)
                .unwrap();
        assert_eq!(
            fields.get(Field::Nonce).as_deref(),
            Some("12345678901234567890")
        );
        assert_eq!(fields.get(Field::Appid).as_deref(), Some("1.0e2"));
        assert_eq!(fields.others().next().unwrap().1, "98765432109876543210");
    }

    #[test]
    fn null_is_absent_but_has_been_seen() {
        let fields = read(r#"{"nonce":null,"unknown":null}"#).unwrap();
        assert_eq!(fields.get(Field::Nonce).as_deref(), None);
        assert!(fields.others().next().is_none());
        assert_eq!(
            read(r#"{"nonce":null,"nonce":1}"#).unwrap_err(),
            Malformed::Twice(Field::Nonce)
        );
    }

    #[test]
    fn rejects_what_two_parsers_could_read_differently() {
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
    fn adjacent_brackets_do_not_nest() {
        let beside = "[],".repeat(1_000);
        let deepest = format!("{}{}", "[".repeat(126), "]".repeat(126));
        assert!(read(&format!(r#"{{"x":[{beside}{deepest}]}}"#)).is_ok());
    }

    #[test]
    fn an_object_is_read_as_the_string_it_could_have_been() {
        let fields = read("{\"extra_params\": {\n  \"a b\" : \"c \\\" d\"\n} }").unwrap();
        assert_eq!(
            fields.get(Field::ExtraParams).as_deref(),
            Some(r#"{"a b":"c \" d"}"#)
        );
    }
}
