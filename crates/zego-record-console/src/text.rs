//! Text that a stranger may have written, shown so that it can neither act nor deceive.

use std::fmt;

use askama::filters::{Escaper as _, Html, HtmlSafe};

/// A text as HTML: escaped, isolated from the direction of the text around it, with every character
/// that cannot be seen, or that changes the order of others, as its code point, and cut to a
/// length.
///
/// It is the only way by which the templates get text from a callback.
#[derive(Clone, Debug)]
pub(crate) struct Visible {
    text: String,
    more: usize,
}

/// Marks on one letter that are shown as they are. Piles of them cover the lines above.
const MAX_MARKS: usize = 3;

impl Visible {
    /// The first `limit` bytes of a text.
    pub(crate) fn new(text: &str, limit: usize) -> Self {
        let shown = &text[..text.floor_char_boundary(limit)];
        Self {
            text: shown.to_owned(),
            more: text.len() - shown.len(),
        }
    }
}

impl fmt::Display for Visible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<bdi>")?;
        let mut marks = 0;
        for character in self.text.chars() {
            let kind = Kind::of(character);
            marks = if kind == Kind::Mark { marks + 1 } else { 0 };
            if kind == Kind::Hidden || marks > MAX_MARKS {
                let code = u32::from(character);
                write!(f, "<span class=\"code\">U+{code:04X}</span>")?;
            } else {
                Html.write_escaped_char(&mut *f, character)?;
            }
        }
        f.write_str("</bdi>")?;
        if self.more > 0 {
            write!(f, "<span class=\"more\">… {} more bytes</span>", self.more)?;
        }
        Ok(())
    }
}

/// `Display` has escaped everything.
impl HtmlSafe for Visible {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// It stands on the letter before it.
    Mark,
    Hidden,
}

impl Kind {
    fn of(character: char) -> Self {
        if character == ' ' || character.is_ascii_graphic() {
            Self::Plain
        } else if looks_like_nothing(character) {
            Self::Hidden
        } else if character.escape_debug().len() == 1 {
            Self::Plain
        } else if is_mark(character) {
            Self::Mark
        } else {
            Self::Hidden
        }
    }
}

/// The standard library's Debug escapes what is not printable: control and format characters (bidi,
/// zero width), spaces but one, what is not assigned. A mark it escapes only where no letter stands
/// before it.
fn is_mark(character: char) -> bool {
    let mut text = String::from("a");
    text.push(character);
    text.escape_debug().count() == 2
}

/// Printable by their category, and nothing to see.
fn looks_like_nothing(character: char) -> bool {
    matches!(
        character,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        Visible::new(text, 1_000).to_string()
    }

    #[test]
    fn markup_is_escaped() {
        let text = html("<script>alert('1')</script>\" onclick=x & &lt;");
        assert_eq!(text.matches('<').count(), 2, "{text}");
        assert!(!text.contains('"') && !text.contains('\''), "{text}");
        assert!(text.contains("&#38;") || text.contains("&amp;"), "{text}");
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        for code in [
            0x0, 0x7, 0x9, 0xa, 0xd, 0x1b, 0x7f, 0x80, 0x9b, 0xa0, 0xad, 0x34f, 0x61c, 0x115f,
            0x180e, 0x2000, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b,
            0x202c, 0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0x206f, 0x2800, 0x3000,
            0x3164, 0xe000, 0xfe0f, 0xfeff, 0xfff9, 0xffff, 0xe0041, 0xe0100, 0x10_ffff,
        ] {
            let character = char::from_u32(code).unwrap();
            let text = html(&format!("a{character}b"));
            assert!(
                text.contains(&format!(">U+{code:04X}<")),
                "{code:x}: {text}"
            );
            assert!(!text.contains(character), "{code:x}");
        }
    }

    #[test]
    fn what_can_be_seen_is_left_alone() {
        for text in [
            "lesson-7",
            "课程",
            "урок",
            "שיעור",
            "บทเรียนที่",
            "पाठ",
            "é",
            "e\u{301}",
            "😀",
            "ß",
        ] {
            assert_eq!(html(text), format!("<bdi>{text}</bdi>"));
        }
    }

    #[test]
    fn a_pile_of_marks_is_shown_as_codes() {
        let text = html(&format!("a{}", "\u{301}".repeat(50)));
        assert_eq!(text.matches('\u{301}').count(), MAX_MARKS);
        assert_eq!(text.matches(">U+0301<").count(), 50 - MAX_MARKS);
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = Visible::new(&"ü".repeat(10), 5).to_string();
        assert_eq!(
            text,
            "<bdi>üü</bdi><span class=\"more\">… 16 more bytes</span>"
        );
    }
}
