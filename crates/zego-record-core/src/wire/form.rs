//! `application/x-www-form-urlencoded` bodies.

use super::document::Fields;
use super::text::Span;
use super::{find, is_printable_ascii, percent};
use crate::field::Field;
use crate::rejection::Malformed;

pub(super) fn read(form: &str, fields: &mut Fields) -> Result<(), Malformed> {
    let is_printable_ascii = is_printable_ascii(form);
    let mut start = 0;
    while let Some(rest) = form.as_bytes().get(start..).filter(|rest| !rest.is_empty()) {
        let length = find::either(b'&', b'&', rest).unwrap_or(rest.len());
        let equals = find::either(b'=', b'=', &rest[..length]).unwrap_or(length);
        let end = start + length;
        let name = Span {
            start,
            end: start + equals,
        };
        let value = Span {
            start: end.min(name.end + 1),
            end,
        };
        start = end + 1;
        if length == 0 {
            continue;
        }
        let decoded_name = percent::decode(name.of(form))?;
        let (value, has_control) = percent::check(form, is_printable_ascii, value)?;
        match Field::from_name(&decoded_name) {
            Some(field) => fields.insert(form, field, Some(value), has_control)?,
            None => {
                let (name, _) = percent::check(form, is_printable_ascii, name)?;
                fields.push_other(name, value)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn read(body: &str) -> Result<Document<'_>, Malformed> {
        crate::wire::read(body.as_bytes())
    }

    #[test]
    fn names_and_values_are_decoded() {
        let fields = read("&n%6Fnce=1%2B2&stream_alias=a+b&x=&y&=z&&").unwrap();
        assert_eq!(fields.get(Field::Nonce).as_deref(), Some("1+2"));
        assert_eq!(fields.get(Field::StreamAlias).as_deref(), Some("a b"));
        let others: Vec<_> = fields
            .others()
            .map(|(name, text)| (name.into_owned(), text.into_owned()))
            .collect();
        let expected = [("x", ""), ("y", ""), ("", "z")];
        assert_eq!(
            others,
            expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
        );
    }

    #[test]
    fn non_ascii_characters_need_no_escape() {
        let fields = read("stream_alias=日本&nonce=1").unwrap();
        assert_eq!(fields.get(Field::StreamAlias).as_deref(), Some("日本"));
        assert_eq!(fields.get(Field::Nonce).as_deref(), Some("1"));
    }

    #[test]
    fn only_unknown_names_may_repeat() {
        assert_eq!(
            read("rtmp_url[]=a&rtmp_url[]=b").unwrap().others().count(),
            2
        );
        assert_eq!(
            read("nonce=1&nonce=1").unwrap_err(),
            Malformed::Twice(Field::Nonce)
        );
        assert_eq!(
            read("nonce=1&n%6fnce=2").unwrap_err(),
            Malformed::Twice(Field::Nonce)
        );
    }

    #[test]
    fn broken_escapes_and_control_characters_are_rejected() {
        assert_eq!(read("a=%zz").unwrap_err(), Malformed::BrokenEscape);
        for value in ["1%00", "1\n2", "1\0", "\u{85}1", "%C2%85", "1+\u{7f}"] {
            assert_eq!(
                read(&format!("nonce={value}")).unwrap_err(),
                Malformed::ControlCharacter(Field::Nonce),
                "{value:?}"
            );
        }
        assert!(read("unknown=%00").is_ok());
    }
}
