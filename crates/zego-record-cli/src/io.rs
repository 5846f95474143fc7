//! The three streams of a process, handed in so that tests can take their place.

use std::fmt;
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
}

impl Io<'_> {
    /// Prints a result as one JSON document on one line.
    pub(crate) fn print_json(&mut self, document: &impl Serialize) -> Result<(), Error> {
        let json = serde_json::to_string(document)
            .map_err(|error| Error::with_source("cannot write the result as JSON", error))?;
        writeln!(self.out, "{json}")?;
        Ok(())
    }
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("out_color", &self.out_color)
            .field("err_color", &self.err_color)
            .field("progress", &self.progress)
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

/// Makes a text of a peer harmless for a terminal: control characters become their escapes.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control();
            let plain = (!escaped).then_some(character);
            plain.into_iter().chain(
                escaped
                    .then(|| character.escape_default())
                    .into_iter()
                    .flatten(),
            )
        })
        .collect()
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
        assert_eq!(printable("a\u{1b}[2J\n日"), "a\\u{1b}[2J\\n日");
    }
}
