//! One text for all ways to write the same JSON.

use super::json::{MAX_DEPTH, is_deeper_than};
use super::scan::{Quoted, Value, read_array, read_object};
use crate::rejection::Malformed;

/// An array or object without white space, members sorted by name, strings escaped in one way. Numbers
/// stay as they are. `None` if the text is neither, or nested too deeply.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let text = text.trim_matches(super::json::WHITE_SPACE);
    if !text.starts_with(['{', '[']) || is_deeper_than(text, MAX_DEPTH) {
        return None;
    }
    let mut canonical = String::with_capacity(text.len());
    write_container(text, &mut canonical).ok()?;
    Some(canonical)
}

fn write_container(json: &str, out: &mut String) -> Result<(), Malformed> {
    if json.starts_with('{') {
        return write_object(json, out);
    }
    out.push('[');
    let mut separator = "";
    read_array(json, |element| {
        out.push_str(std::mem::replace(&mut separator, ","));
        write(element, json, out)
    })?;
    out.push(']');
    Ok(())
}

fn write_object(json: &str, out: &mut String) -> Result<(), Malformed> {
    let mut members = Vec::new();
    read_object(json, |name, value| {
        members.push((name.decode(json), name, value));
        Ok(())
    })?;
    // Stable: members of the same name keep their order, which may mean something.
    members.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    out.push('{');
    for (index, (_, name, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(name, json, out);
        out.push(':');
        write(value, json, out)?;
    }
    out.push('}');
    Ok(())
}

fn write(value: Value, json: &str, out: &mut String) -> Result<(), Malformed> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(span) | Value::Number(span) => out.push_str(span.of(json)),
        Value::String(string) => write_string(string, json, out),
        Value::Container(span) => write_container(span.of(json), out)?,
    }
    Ok(())
}

fn write_string(string: Quoted, json: &str, out: &mut String) {
    let text = string.decode(json);
    if string.has_escapes {
        out.push_str(&serde_json::Value::from(text).to_string());
    } else {
        // What came without escapes needs none.
        out.push('"');
        out.push_str(&text);
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_the_same_for_the_same_content() {
        let expected = r#"{"a":[1.50,null,true,{}],"b":"é\n\"","b":2}"#;
        for text in [
            r#"{"a":[1.50,null,true,{}],"b":"é\n\"","b":2}"#,
            " { \"b\" : \"\\u00e9\\n\\u0022\", \"b\":2, \"\\u0061\": [ 1.50 , null, true, { } ] } ",
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "plain words",
            "12",
            "\"x\"",
            "null",
            "{",
            "{}x",
            "{} {}",
            r#"{"a":"\ud800"}"#,
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
        assert_eq!(canonical(&"[".repeat(60_000)), None);
        assert_eq!(
            canonical(&format!("{}{}", "[".repeat(129), "]".repeat(129))),
            None
        );
        assert!(canonical(&format!("{}{}", "[".repeat(128), "]".repeat(128))).is_some());
    }
}
