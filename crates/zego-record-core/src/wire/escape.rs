//! The escapes in JSON strings.
//!
//! They can be checked without decoding anything, so that a body without a signature costs no memory.

use std::iter;

use super::find;
use crate::hex;

/// The escape that a text begins with: the character that it stands for, and its own length. `None` if it
/// is broken.
#[inline]
pub(super) fn first(raw: &[u8]) -> Option<(char, usize)> {
    let character = match raw.get(1)? {
        b'n' => '\n',
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(raw),
        _ => return None,
    };
    Some((character, 2))
}

/// Decodes the inside of a string whose escapes are valid; at one that is not, it ends.
pub(super) fn decode(raw: &str) -> String {
    let mut decoded = String::with_capacity(raw.len());
    decode_into(raw, &mut decoded);
    decoded
}

/// As [`decode`], at the end of another text.
pub(super) fn decode_into(raw: &str, decoded: &mut String) {
    let mut rest = raw;
    loop {
        while rest.starts_with('\\') {
            let Some((character, length)) = first(rest.as_bytes()) else {
                return;
            };
            decoded.push(character);
            rest = rest.get(length..).unwrap_or_default();
        }
        let Some(at) = find::either(b'\\', b'\\', rest.as_bytes()) else {
            return decoded.push_str(rest);
        };
        let (plain, escape) = rest.split_at(at);
        decoded.push_str(plain);
        rest = escape;
    }
}

/// What the inside of a string stands for, each character beyond ASCII as a byte beyond ASCII.
pub(super) fn ascii_bytes(raw: &str) -> impl Iterator<Item = u8> {
    let mut rest = raw.as_bytes();
    iter::from_fn(move || {
        let (byte, length) = match *rest.first()? {
            b'\\' => {
                let (character, length) = first(rest)?;
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
        assert_eq!(is_valid(raw), usual.is_some(), "{raw}");
        if let Some(usual) = usual {
            assert_eq!(decode(raw), usual, "{raw}");
            if usual.is_ascii() {
                assert!(ascii_bytes(raw).eq(usual.bytes()), "{raw}");
            }
        }
    }

    fn is_valid(mut raw: &str) -> bool {
        while let Some(at) = raw.find('\\') {
            let Some((_, length)) = first(&raw.as_bytes()[at..]) else {
                return false;
            };
            raw = &raw[at + length..];
        }
        true
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
