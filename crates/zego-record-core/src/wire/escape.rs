//! The escapes in JSON strings.
//!
//! They can be checked without decoding anything, so that a body without a signature costs no memory.

use crate::refusal::Malformed;

/// Whether the inside of a string has only valid escapes, and whether what they stand for holds a
/// control character.
pub(super) fn check(raw: &str) -> Result<HoldsControl, Malformed> {
    let mut holds_control = false;
    for piece in Pieces(raw) {
        holds_control |= match piece? {
            Piece::Plain(text) => super::has_control_character(text),
            Piece::Escaped(character) => character.is_control(),
        };
    }
    Ok(HoldsControl(holds_control))
}

/// What [`check`] has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HoldsControl(pub(super) bool);

/// Decodes the inside of a string.
pub(super) fn decode(raw: &str) -> Result<String, Malformed> {
    let mut decoded = String::with_capacity(raw.len());
    for piece in Pieces(raw) {
        match piece? {
            Piece::Plain(text) => decoded.push_str(text),
            Piece::Escaped(character) => decoded.push(character),
        }
    }
    Ok(decoded)
}

enum Piece<'a> {
    Plain(&'a str),
    Escaped(char),
}

/// The rest of the string, which is read piece by piece.
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Piece<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        // Not `find`: what stands between two escapes is usually a few bytes long.
        match self.0.bytes().position(|byte| byte == b'\\') {
            _ if self.0.is_empty() => None,
            Some(0) => Some(
                self.escape()
                    .ok_or(Malformed::BrokenEscape)
                    .map(Piece::Escaped),
            ),
            end => {
                let (plain, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
                self.0 = rest;
                Some(Ok(Piece::Plain(plain)))
            }
        }
    }
}

impl Pieces<'_> {
    /// Takes the escape that the rest begins with.
    fn escape(&mut self) -> Option<char> {
        let character = match self.0.as_bytes().get(1)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return None,
        };
        self.0 = self.0.get(2..)?;
        Some(character)
    }

    /// `\uXXXX`, or two of them that are a surrogate pair.
    fn unicode(&mut self) -> Option<char> {
        let first = self.unit()?;
        let units = match first {
            0xd800..=0xdbff => [first, self.unit()?],
            _ => [first, 0],
        };
        let length = if matches!(first, 0xd800..=0xdbff) {
            2
        } else {
            1
        };
        char::decode_utf16(units.into_iter().take(length))
            .next()?
            .ok()
    }

    fn unit(&mut self) -> Option<u16> {
        let digits = self.0.strip_prefix("\\u")?.get(..4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        self.0 = self.0.get(6..)?;
        u16::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let usual = serde_json::from_str::<String>(&format!("\"{raw}\"")).ok();
            assert_eq!(decode(raw).ok(), usual, "{raw}");
            assert_eq!(check(raw).is_ok(), usual.is_some(), "{raw}");
        }
        for unit in 0..=u16::MAX {
            let raw = format!("\\u{unit:04x}");
            let usual = serde_json::from_str::<String>(&format!("\"{raw}\"")).ok();
            assert_eq!(decode(&raw).ok(), usual, "{raw}");
            let holds = usual.map(|text| HoldsControl(text.contains(char::is_control)));
            assert_eq!(check(&raw).ok(), holds, "{raw}");
        }
    }
}
