//! JSON as RFC 8259 has it, by recursive descent over a vector of characters.

/// A JSON value; numbers keep their digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A string, decoded.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object; names may repeat.
    Object(Vec<(String, Json)>),
}

/// A document that was read.
#[derive(Debug)]
pub struct Document {
    /// Its value.
    pub value: Json,
    /// Where the value is an object: the members' values as they are written, in their order.
    pub sources: Vec<String>,
    /// Whether a `\u` escape stands for half of a surrogate pair, which no string can hold.
    pub has_lone_surrogate: bool,
}

/// Arrays and objects in one another, the outermost included.
pub const MAX_DEPTH: usize = 128;

/// Reads a document, white space around it allowed. `None` if it is no JSON, or nested deeper than
/// [`MAX_DEPTH`].
pub fn read(text: &str) -> Option<Document> {
    let mut reader = Reader {
        characters: text.chars().collect(),
        at: 0,
        depth: 0,
        sources: Vec::new(),
        has_lone_surrogate: false,
    };
    let value = reader.value()?;
    reader.skip_white_space();
    (reader.at == reader.characters.len()).then_some(Document {
        value,
        sources: reader.sources,
        has_lone_surrogate: reader.has_lone_surrogate,
    })
}

/// Whether a string is written as a JSON number is.
pub fn is_number(text: &str) -> bool {
    !text.contains([' ', '\t', '\n', '\r'])
        && matches!(read(text), Some(document) if matches!(document.value, Json::Number(_)))
}

/// A valid JSON text without the white space between its tokens.
pub fn compact(json: &str) -> String {
    let mut compact = String::new();
    let mut characters = json.chars();
    let mut in_string = false;
    while let Some(character) = characters.next() {
        if in_string || !is_white_space(character) {
            compact.push(character);
        }
        match character {
            '"' => in_string = !in_string,
            '\\' => compact.extend(characters.next()),
            _ => {}
        }
    }
    compact
}

struct Reader {
    characters: Vec<char>,
    at: usize,
    depth: usize,
    sources: Vec<String>,
    has_lone_surrogate: bool,
}

impl Reader {
    fn value(&mut self) -> Option<Json> {
        self.skip_white_space();
        match self.peek()? {
            '{' => self.nested(Self::object),
            '[' => self.nested(Self::array),
            '"' => self.string().map(Json::Text),
            't' => self.word("true", Json::Bool(true)),
            'f' => self.word("false", Json::Bool(false)),
            'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<Json>) -> Option<Json> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let value = read(self)?;
        self.depth -= 1;
        Some(value)
    }

    fn object(&mut self) -> Option<Json> {
        let mut members = Vec::new();
        self.list('{', '}', |reader| {
            let name = reader.string()?;
            reader.skip_white_space();
            reader.expect(':')?;
            reader.skip_white_space();
            let start = reader.at;
            let value = reader.value()?;
            if reader.depth == 1 {
                let source = reader.characters[start..reader.at].iter().collect();
                reader.sources.push(source);
            }
            members.push((name, value));
            Some(())
        })?;
        Some(Json::Object(members))
    }

    fn array(&mut self) -> Option<Json> {
        let mut elements = Vec::new();
        self.list('[', ']', |reader| {
            elements.push(reader.value()?);
            Some(())
        })?;
        Some(Json::Array(elements))
    }

    fn list(
        &mut self,
        open: char,
        close: char,
        mut item: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.expect(open)?;
        self.skip_white_space();
        if self.expect(close).is_some() {
            return Some(());
        }
        loop {
            self.skip_white_space();
            item(self)?;
            self.skip_white_space();
            if self.expect(close).is_some() {
                return Some(());
            }
            self.expect(',')?;
        }
    }

    fn string(&mut self) -> Option<String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                '\0'..='\x1f' => return None,
                plain => text.push(plain),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            character @ ('"' | '\\' | '/') => character,
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.four_digits()?;
                let mut units = vec![first];
                let after = self.at;
                if (0xd800..0xdc00).contains(&first) {
                    if self.expect('\\').is_some() && self.expect('u').is_some() {
                        units.push(self.four_digits()?);
                    } else {
                        self.at = after;
                    }
                }
                match String::from_utf16(&units) {
                    Ok(text) if text.chars().count() == 1 => text.chars().next()?,
                    _ => {
                        self.has_lone_surrogate = true;
                        self.at = after;
                        char::REPLACEMENT_CHARACTER
                    }
                }
            }
            _ => return None,
        })
    }

    fn four_digits(&mut self) -> Option<u16> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | self.next()?.to_digit(16)?;
        }
        u16::try_from(unit).ok()
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        let _ = self.expect('-');
        if self.expect('0').is_none() {
            self.digits()?;
        }
        if self.expect('.').is_some() {
            self.digits()?;
        }
        if self.expect('e').or_else(|| self.expect('E')).is_some() {
            let _ = self.expect('+').or_else(|| self.expect('-'));
            self.digits()?;
        }
        let number = self.characters[start..self.at].iter().collect();
        Some(Json::Number(number))
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|digit| digit.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        for character in word.chars() {
            self.expect(character)?;
        }
        Some(value)
    }

    fn skip_white_space(&mut self) {
        while self.peek().is_some_and(is_white_space) {
            self.at += 1;
        }
    }

    fn expect(&mut self, expected: char) -> Option<()> {
        (self.peek()? == expected).then(|| self.at += 1)
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += 1;
        Some(character)
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }
}

fn is_white_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_serde_json_on_what_is_json() {
        for text in [
            "1",
            "-0",
            "01",
            "-",
            "1.",
            ".5",
            "1e5",
            "1E+05",
            "1e",
            "+1",
            "tru",
            "true",
            "null ",
            "\"\\u00e9\"",
            "\"\\u00g9\"",
            "\"\\ud83c\\udfa5\"",
            "\"\\x\"",
            "\"a\nb\"",
            "\"",
            "[]",
            "[ 1 , 2 ]",
            "[1,]",
            "[,1]",
            "{}",
            "{\"a\":1,\"a\":[{}]}",
            "{a:1}",
            "{\"a\"}",
            "{} {}",
            "",
            " ",
            "\u{feff}{}",
            "\u{a0}1",
        ] {
            let theirs = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(read(text).is_some(), theirs, "{text}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_seen() {
        for text in [
            r#""\ud83c""#,
            r#""\ud83cx""#,
            r#""\ud83c\u0041""#,
            r#""\udfa5""#,
        ] {
            assert!(
                read(text).is_some_and(|document| document.has_lone_surrogate),
                "{text}"
            );
        }
        assert!(read(r#""\ud83c\udfa5""#).is_some_and(|document| !document.has_lone_surrogate));
    }

    #[test]
    fn nesting_ends_at_128_levels() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(read(&nested(128)).is_some());
        assert!(read(&nested(129)).is_none());
    }

    #[test]
    fn compact_leaves_strings_alone() {
        assert_eq!(compact("{ \"a \\\" b\" :\n[ 1 ] }"), "{\"a \\\" b\":[1]}");
    }
}
