//! Forms, and percent-encoding as forms have it.

/// The pairs of a form, or `None` where an escape is broken or what it stands for is not UTF-8.
pub fn read(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for pair in text.split('&') {
        if pair.is_empty() {
            continue;
        }
        let (name, value) = match pair.find('=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, ""),
        };
        pairs.push((decode(name)?, decode(value)?));
    }
    Some(pairs)
}

/// Decodes once; a plus sign is a space.
pub fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let mut parts = spaced.split('%');
    let mut decoded = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2)?;
        if !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend(part[2..].bytes());
    }
    String::from_utf8(decoded).ok()
}
