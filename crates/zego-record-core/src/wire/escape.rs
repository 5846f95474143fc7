//! The escapes in JSON strings.
//!
//! They can be checked without decoding anything, so that a body without a signature costs no memory.

use std::iter;

use super::find;
use crate::hex;
use crate::rejection::Malformed;

/// The escape that a text begins with: the character that it stands for, and its own length.
pub(super) fn first(raw: &[u8]) -> Result<(char, usize), Malformed> {
    let character = match raw.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(raw).ok_or(Malformed::BrokenEscape),
        _ => return Err(Malformed::BrokenEscape),
    };
    Ok((character, 2))
}

/// Whether there are only valid escapes in a text.
pub(super) fn check(raw: &str) -> Result<(), Malformed> {
    let mut rest = raw.as_bytes();
    while let Some(at) = find::either(b'\\', b'\\', rest) {
        rest = rest.get(at..).unwrap_or_default();
        let (_, length) = first(rest)?;
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// Decodes the inside of a string whose escapes are valid; at one that is not, it ends.
pub(super) fn decode(raw: &str) -> String {
    let mut decoded = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = find::either(b'\\', b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at(at);
        decoded.push_str(plain);
        let Ok((character, length)) = first(escape.as_bytes()) else {
            return decoded;
        };
        decoded.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    decoded.push_str(rest);
    decoded
}

/// What the inside of a string stands for, each character beyond ASCII as a byte beyond ASCII.
pub(super) fn ascii_bytes(raw: &str) -> impl Iterator<Item = u8> {
    let mut rest = raw.as_bytes();
    iter::from_fn(move || {
        let (byte, length) = match *rest.first()? {
            b'\\' => {
                let (character, length) = first(rest).ok()?;
                (u8::try_from(character).unwrap_or(u8::MAX), length)
            }
            byte => (byte, 1),
        };
        rest = rest.get(length..)?;
        Some(byte)
    })
}

/// `\uXXXX`, or two of them that are a surrogate pair.
fn unicode(raw: &[u8]) -> Option<(char, usize)> {
    let first = unit(raw)?;
    if !matches!(first, 0xd800..=0xdbff) {
        return char::from_u32(first.into()).map(|character| (character, 6));
    }
    let pair = [first, unit(raw.get(6..)?)?];
    let character = char::decode_utf16(pair).next()?.ok()?;
    Some((character, 12))
}

fn unit(raw: &[u8]) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = raw.first_chunk::<6>()? else {
        return None;
    };
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | u16::from(hex::digit(*digit)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(raw: &str) {
        let usual = serde_json::from_str::<String>(&format!("\"{raw}\"")).ok();
        assert_eq!(check(raw).is_ok(), usual.is_some(), "{raw}");
        if let Some(usual) = usual {
            assert_eq!(decode(raw), usual, "{raw}");
            if usual.is_ascii() {
                assert!(ascii_bytes(raw).eq(usual.bytes()), "{raw}");
            }
        }
    }

    #[test]
    fn every_escape_is_decoded_as_serde_json_does() {
        let strings = [
            r"",
            r"plain",
            r#"\"\\\/\b\f\n\r\t"#,
            r"\u0041\u00e9\u65e5\uD83D\uDE00\u0000\uFFFF",
            r"a\u0041b\\u0041",
            r"é\u00e9日",
            r"\",
            r"\x",
            r"\u",
            r"\u12",
            r"\u+123",
            r"\u12é4",
            r"\ud800",
            r"\ud800x",
            r"\ud800\n",
            r"\ud800\ud800",
            r"\ud800A",
            r"\udc00",
            r"\udc00\ud800",
        ];
        for raw in strings {
            agree(raw);
        }
        for unit in 0..=u16::MAX {
            agree(&format!("\\u{unit:04x}"));
        }
    }
}
