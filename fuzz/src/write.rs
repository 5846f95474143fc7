//! Writes the wire forms, each in a plain and in an unusual spelling.

/// How much of a string is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// What has to be.
    Plain,
    /// Every character.
    Escaped,
}

/// A JSON string.
pub(crate) fn quote(text: &str, spelling: Spelling) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match (character, spelling) {
            ('"' | '\\' | '\0'..='\x1f', _) | (_, Spelling::Escaped) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    quoted.push_str(&format!("\\u{unit:04x}"));
                }
            }
            (plain, Spelling::Plain) => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

/// A JSON object of members whose values are JSON already.
pub(crate) fn object(members: &[(String, String)], spelling: Spelling) -> String {
    let (colon, comma) = match spelling {
        Spelling::Plain => (":", ","),
        Spelling::Escaped => (" :\t", "\r\n, "),
    };
    let members: Vec<String> = members
        .iter()
        .map(|(name, json)| format!("{}{colon}{json}", quote(name, spelling)))
        .collect();
    format!("{{{}}}", members.join(comma))
}

/// A form.
pub(crate) fn form(pairs: &[(String, String)], spelling: Spelling) -> String {
    let encode = |text: &str| match spelling {
        Spelling::Plain => percent_encode(text).replace("%20", "+"),
        Spelling::Escaped => text.bytes().map(|byte| format!("%{byte:02x}")).collect(),
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, text)| format!("{}={}", encode(name), encode(text)))
        .collect();
    pairs.join("&")
}

/// Encodes everything but the unreserved characters of RFC 3986.
pub(crate) fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_means_the_same() {
        let pairs = [("a".to_owned(), " é\"".to_owned())];
        assert_eq!(form(&pairs, Spelling::Plain), "a=+%C3%A9%22");
        assert_eq!(form(&pairs, Spelling::Escaped), "%61=%20%c3%a9%22");
        assert_eq!(quote("é\"\n", Spelling::Plain), r#""é\u0022\u000a""#);
        assert_eq!(quote("🎥", Spelling::Escaped), r#""\ud83c\udfa5""#);
        let members = [("a".to_owned(), "1".to_owned())];
        assert_eq!(object(&members, Spelling::Plain), r#"{"a":1}"#);
        assert_eq!(object(&members, Spelling::Escaped), "{\"\\u0061\" :\t1}");
    }
}
