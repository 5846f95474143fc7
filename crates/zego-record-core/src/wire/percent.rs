//! Form decoding that rejects what it cannot read.
//!
//! The usual decoders let a broken `%zz` pass and replace invalid UTF-8. Here both would make two
//! different bodies look alike to the replay guard, so both are errors.

use std::borrow::Cow;
use std::iter;

use super::text::{Span, Text};
use super::{find, has_control_character};
use crate::hex;
use crate::rejection::Malformed;

/// Decodes `%XX` and `+` once.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, Malformed> {
    if next_code(text.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(at) = next_code(rest) {
        let (plain, code) = rest.split_at(at);
        decoded.extend_from_slice(plain);
        let (byte, length) = first(code)?;
        decoded.push(byte);
        rest = code.get(length..).unwrap_or_default();
    }
    decoded.extend_from_slice(rest);
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| Malformed::NotUtf8)
}

/// Checks a piece of a form, and tells whether there is a control character in what it stands for. Of the
/// form it must be known whether there is only printable ASCII in it.
pub(super) fn check(
    form: &str,
    is_printable_ascii: bool,
    piece: Span,
) -> Result<(Text, bool), Malformed> {
    let encoded = piece.of(form);
    let mut rest = encoded.as_bytes();
    let (mut is_plain, mut is_ascii, mut has_control) = (true, is_printable_ascii, false);
    while let Some(at) = next_code(rest) {
        let code = rest.get(at..).unwrap_or_default();
        let (byte, length) = first(code)?;
        is_plain = false;
        is_ascii &= byte.is_ascii();
        has_control |= byte.is_ascii_control();
        rest = code.get(length..).unwrap_or_default();
    }
    if is_plain {
        let has_control = !is_printable_ascii && has_control_character(encoded);
        return Ok((Text::Plain(piece), has_control));
    }
    if is_ascii {
        return Ok((Text::Encoded(piece), has_control));
    }
    // Whether it is UTF-8 shows only when it is decoded.
    let decoded = decode(encoded)?.into_owned();
    let has_control = has_control_character(&decoded);
    Ok((Text::Owned(decoded), has_control))
}

/// The bytes that a text stands for, up to a code that is none.
pub(super) fn bytes(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    iter::from_fn(move || {
        let (byte, length) = first(rest).ok()?;
        rest = rest.get(length..)?;
        Some(byte)
    })
}

fn next_code(rest: &[u8]) -> Option<usize> {
    find::either(b'%', b'+', rest)
}

/// What a text begins with: the byte that it stands for, and its own length.
fn first(rest: &[u8]) -> Result<(u8, usize), Malformed> {
    let byte = match *rest {
        [b'%', high, low, ..] => hex::byte(high, low),
        [b'+', ..] => return Ok((b' ', 1)),
        [byte, ..] if byte != b'%' => return Ok((byte, 1)),
        _ => None,
    };
    byte.map(|byte| (byte, 3)).ok_or(Malformed::BrokenEscape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once_and_strictly() {
        assert!(matches!(decode("plain"), Ok(Cow::Borrowed("plain"))));
        assert_eq!(decode("a+b%20c%2B%2b").as_deref(), Ok("a b c++"));
        assert_eq!(decode("%25%32%35").as_deref(), Ok("%25"));
        assert_eq!(decode("%E6%97%A5").as_deref(), Ok("日"));
        for broken in ["%", "a%2", "%zz", "%%41", "%u0041", "%+1"] {
            assert_eq!(decode(broken), Err(Malformed::BrokenEscape), "{broken}");
        }
        assert_eq!(decode("%ff"), Err(Malformed::NotUtf8));
        assert_eq!(decode("%c0%80"), Err(Malformed::NotUtf8));
    }

    #[test]
    fn agrees_with_the_usual_decoder_on_what_both_accept() {
        for byte in 0..=u8::MAX {
            for text in [
                format!("x%{byte:02x}y"),
                format!("x%{byte:02X}+%C3%A9"),
                format!("%C3%{byte:02x}"),
            ] {
                let Ok(ours) = decode(&text) else { continue };
                let usual: Vec<(String, String)> =
                    serde_urlencoded::from_str(&format!("k={text}")).unwrap();
                assert_eq!(usual, [("k".to_owned(), ours.into_owned())], "{text}");
            }
        }
    }
}
