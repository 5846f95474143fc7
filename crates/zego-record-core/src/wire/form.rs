//! `application/x-www-form-urlencoded` bodies.

use super::{Fields, percent};
use crate::field::Field;
use crate::refusal::Malformed;

pub(super) fn read(text: &str) -> Result<Fields<'_>, Malformed> {
    let mut fields = Fields::default();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent::decode(name)?;
        let value = percent::decode(value)?;
        match Field::from_name(&name) {
            Some(field) => fields.insert(field, Some(value))?,
            None => fields.push_other(name, value)?,
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        let fields = read("&n%6Fnce=1%2B2&stream_alias=a+b&x=&y&=z&&").unwrap();
        assert_eq!(fields.get(Field::Nonce), Some("1+2"));
        assert_eq!(fields.get(Field::StreamAlias), Some("a b"));
        let others: Vec<_> = fields
            .others
            .iter()
            .map(|(n, v)| (n.as_ref(), v.as_ref()))
            .collect();
        assert_eq!(others, [("x", ""), ("y", ""), ("", "z")]);
    }

    #[test]
    fn only_unknown_names_may_repeat() {
        assert_eq!(read("rtmp_url[]=a&rtmp_url[]=b").unwrap().others.len(), 2);
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
    fn broken_escapes_and_control_characters_are_refused() {
        assert_eq!(read("a=%zz").unwrap_err(), Malformed::BrokenEscape);
        assert_eq!(
            read("nonce=1%00").unwrap_err(),
            Malformed::ControlCharacter(Field::Nonce)
        );
        assert!(read("unknown=%00").is_ok());
    }
}
