//! Form decoding that refuses what it cannot read.
//!
//! The usual decoders let a broken `%zz` pass and replace invalid UTF-8. Here both would make two
//! different bodies look alike to the replay guard, so both are errors.

use std::borrow::Cow;

use crate::refusal::Malformed;

/// Decodes `%XX` and `+` once.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, Malformed> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next())? << 4 | hex_digit(bytes.next())?,
            other => other,
        });
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| Malformed::NotUtf8)
}

fn hex_digit(byte: Option<u8>) -> Result<u8, Malformed> {
    match byte {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(letter @ b'a'..=b'f') => Ok(letter - b'a' + 10),
        Some(letter @ b'A'..=b'F') => Ok(letter - b'A' + 10),
        _ => Err(Malformed::BrokenEscape),
    }
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
