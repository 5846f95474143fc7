//! The three streams of a process, handed in so that tests can take their place.

use std::fmt::{self, Write as _};
use std::io::{Read, Write};

use serde::Serialize;

use crate::error::Error;

/// Where a command reads and writes.
pub struct Io<'a> {
    /// Standard input, for a captured body.
    pub input: &'a mut dyn Read,
    /// Standard output: the result, and nothing else.
    pub out: &'a mut dyn Write,
    /// Standard error: errors, warnings and progress.
    pub err: &'a mut dyn Write,
    /// Whether the result may be coloured.
    pub out_color: bool,
    /// Whether errors and warnings may be coloured.
    pub err_color: bool,
    /// Whether a line of progress is shown, and overwritten, on standard error.
    pub progress: bool,
    /// Whether standard input is a keyboard, so that somebody has to be asked to type.
    pub input_is_terminal: bool,
    /// How many columns a line may have.
    pub width: usize,
}

impl Io<'_> {
    /// Prints a result as one JSON document on one line.
    pub(crate) fn print_json(&mut self, document: &impl Serialize) -> Result<(), Error> {
        let json = serde_json::to_string(document)
            .map_err(|error| Error::with_source("cannot write the result as JSON", error))?;
        writeln!(self.out, "{}", visible_json(&json))?;
        Ok(())
    }
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("out_color", &self.out_color)
            .field("err_color", &self.err_color)
            .field("progress", &self.progress)
            .field("input_is_terminal", &self.input_is_terminal)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

/// What a colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warning,
    Strong,
}

/// Colours `text`, or leaves it as it is.
pub(crate) fn paint(color: bool, tone: Tone, text: impl fmt::Display) -> String {
    let code = match tone {
        Tone::Good => 32,
        Tone::Bad => 31,
        Tone::Warning => 33,
        Tone::Strong => 1,
    };
    if color {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_string()
    }
}

/// Makes a peer's string harmless for a terminal: what is invisible there, or changes how the rest is
/// shown, becomes its escape.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The same JSON without invisible characters, which occur in its strings only.
fn visible_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_control() || is_invisible(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Breaks a text between words, so that no line is longer than `width` unless a word is. All lines but
/// the first are indented.
pub(crate) fn wrap(text: &str, width: usize, indent: usize) -> String {
    let words = text.trim_start_matches(' ');
    let mut column = text.len() - words.len();
    let mut wrapped = " ".repeat(column);
    let mut first = true;
    for word in words.split(' ') {
        let length = word.chars().count();
        if first {
            first = false;
        } else if column > indent && column + 1 + length > width {
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// Zero-width characters, those that change the direction of text, and other formats without a glyph.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_they_are_wanted() {
        assert_eq!(paint(false, Tone::Bad, "no"), "no");
        assert_eq!(paint(true, Tone::Bad, "no"), "\u{1b}[31mno\u{1b}[0m");
    }

    #[test]
    fn a_peer_cannot_write_escape_sequences_to_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\n日"), "a\\u{1b}[2J\\u{a}日");
    }

    #[test]
    fn a_peer_cannot_hide_or_reorder_text() {
        for hidden in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{e0041}'] {
            let shown = printable(&format!("a{hidden}b"));
            assert!(shown.is_ascii(), "{shown:?}");
        }
        assert_eq!(printable("مرحبا 👍🏽 é"), "مرحبا 👍🏽 é");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 8, 2), "one two\n  three");
        assert_eq!(wrap("one two three", 80, 2), "one two three");
        assert_eq!(
            wrap("  a-word-that-is-too-long", 8, 2),
            "  a-word-that-is-too-long"
        );
        let text = "the quick brown fox jumps over the lazy dog ".repeat(4);
        for line in wrap(&text, 30, 4).lines() {
            assert!(line.chars().count() <= 30, "{line:?}");
        }
    }

    #[test]
    fn json_says_the_same_without_invisible_characters() {
        let text = "a\u{202e}b\u{e0041}\u{7f}\u{9b}\n课程🎬";
        let json = serde_json::to_string(text).unwrap();
        let visible = visible_json(&json);
        assert_eq!(visible, r#""a\u202eb\udb40\udc41\u007f\u009b\n课程🎬""#);
        assert_eq!(serde_json::from_str::<String>(&visible).unwrap(), text);
    }
}
