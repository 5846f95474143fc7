//! One text for all ways to write the same JSON.
//!
//! A value is read once into a list of nodes, in the order in which they stand, and written from there.
//! Nothing is read twice, however deep it is nested: whoever has one signed request can send any body.

use std::cmp::Ordering;

use super::escape;
use super::nodes::{Kind, Name, Nodes, Range};

/// Writes an array or object without white space, members sorted by name, strings escaped in one way.
/// Numbers stay as they are. Writes nothing, and returns false, if the text is neither, or is nested too
/// deeply.
pub(crate) fn write_canonical(text: &str, out: &mut Vec<u8>) -> bool {
    if !text
        .trim_start_matches(super::json::WHITE_SPACE)
        .starts_with(['{', '['])
    {
        return false;
    }
    let Some(nodes) = Nodes::read(text) else {
        return false;
    };
    let mut writer = Writer {
        nodes: &nodes,
        out,
        members: Vec::new(),
        decoded: String::new(),
    };
    writer.write(0);
    true
}

struct Writer<'a> {
    nodes: &'a Nodes<'a>,
    out: &'a mut Vec<u8>,
    /// The members of the objects that are being written.
    members: Vec<Member>,
    decoded: String,
}

impl Writer<'_> {
    /// Writes a node and all below it. This recurses, as deep as was read.
    fn write(&mut self, at: u32) {
        let Some(node) = self.nodes.get(at) else {
            return;
        };
        match node.kind {
            Kind::Plain | Kind::PlainMember => self.push(node.at.of(self.nodes.text)),
            Kind::Escaped => {
                self.decoded.clear();
                escape::decode_into(node.at.of(self.nodes.text), &mut self.decoded);
                push_escaped(&self.decoded, self.out);
            }
            Kind::Array => {
                self.out.push(b'[');
                let mut separator = "";
                for element in self.nodes.children(at) {
                    self.push(std::mem::replace(&mut separator, ","));
                    self.write(element);
                }
                self.out.push(b']');
            }
            Kind::Object => self.write_object(at),
        }
    }

    fn write_object(&mut self, at: u32) {
        let nodes = self.nodes;
        self.out.push(b'{');
        let mut separator = "";
        if nodes
            .children(at)
            .is_sorted_by_key(|member| nodes.name_of(member))
        {
            for member in nodes.children(at) {
                self.push(std::mem::replace(&mut separator, ","));
                self.write_member(member);
            }
        } else {
            let start = self.members.len();
            let members = nodes.children(at).map(|at| Member::new(nodes, at));
            self.members.extend(members);
            // Stable: members of the same name keep their order, which may mean something.
            self.members[start..].sort_by(|a, b| a.cmp(b, nodes));
            for index in start..self.members.len() {
                let member = self.members[index].at;
                self.push(std::mem::replace(&mut separator, ","));
                self.write_member(member);
            }
            self.members.truncate(start);
        }
        self.out.push(b'}');
    }

    fn write_member(&mut self, at: u32) {
        let Some(node) = self.nodes.get(at) else {
            return;
        };
        match (node.kind, node.name) {
            (Kind::PlainMember, _) | (_, Name::None) => {}
            (_, Name::Plain(name)) => {
                self.out.push(b'"');
                self.push(name.of(self.nodes.text));
                self.out.extend_from_slice(b"\":");
            }
            (_, Name::Decoded(name)) => {
                push_escaped(name.of(&self.nodes.names), self.out);
                self.out.push(b':');
            }
        }
        self.write(at);
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// A member in the order of names. Most names differ in their first bytes or in their length, and these
/// are quickly compared.
#[derive(Clone, Copy)]
struct Member {
    first: u64,
    name: Range,
    is_decoded: bool,
    at: u32,
}

impl Member {
    const FIRST: u32 = u64::BITS / 8;

    fn new(nodes: &Nodes<'_>, at: u32) -> Self {
        let (name, is_decoded) = match nodes.get(at).map(|node| node.name) {
            Some(Name::Plain(name)) => (name, false),
            Some(Name::Decoded(name)) => (name, true),
            Some(Name::None) | None => (Range::default(), false),
        };
        let mut member = Self {
            first: 0,
            name,
            is_decoded,
            at,
        };
        let mut first = [0; Self::FIRST as usize];
        for (first, byte) in first.iter_mut().zip(member.name(nodes)) {
            *first = *byte;
        }
        member.first = u64::from_be_bytes(first);
        member
    }

    fn name<'a>(&self, nodes: &'a Nodes<'_>) -> &'a [u8] {
        let text = if self.is_decoded {
            &nodes.names
        } else {
            nodes.text
        };
        let range = self.name.start as usize..self.name.end as usize;
        text.as_bytes().get(range).unwrap_or_default()
    }

    fn cmp(&self, other: &Self, nodes: &Nodes<'_>) -> Ordering {
        self.first.cmp(&other.first).then_with(|| {
            let (length, other_length) = (self.name.length(), other.name.length());
            if length.min(other_length) <= Self::FIRST {
                // Equal so far, and one of them has ended.
                length.cmp(&other_length)
            } else {
                self.name(nodes).cmp(other.name(nodes))
            }
        })
    }
}

/// As `serde_json` does, in place of which this stands because the bytes never may change, and because
/// it costs half as much for a short text.
fn push_escaped(text: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text.bytes() {
        let escape = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            0..=0x1f => {
                let digits = [
                    DIGITS[usize::from(byte >> 4)],
                    DIGITS[usize::from(byte & 15)],
                ];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escape]);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Option<String> {
        let mut out = b"before ".to_vec();
        let written = write_canonical(text, &mut out);
        let out = String::from_utf8(out).unwrap();
        let after = out.strip_prefix("before ").unwrap();
        assert!(written || after.is_empty(), "{text}");
        written.then(|| after.to_owned())
    }

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
            "[1,]",
            "[,1]",
            "{,}",
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "[}",
            r#"{"a":[1}]"#,
            r#"{"a":"\ud800"}"#,
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    #[test]
    fn strings_are_escaped_as_serde_json_does() {
        for character in (0..0x250).filter_map(char::from_u32) {
            let mut ours = Vec::new();
            push_escaped(&format!("a{character}b"), &mut ours);
            let usual = serde_json::to_vec(&format!("a{character}b")).unwrap();
            assert_eq!(ours, usual, "{character:?}");
        }
    }

    #[test]
    fn nesting_ends_at_128_levels() {
        let nested = |open: &str, close: &str, levels| {
            canonical(&format!("{}{}", open.repeat(levels), close.repeat(levels)))
        };
        assert_eq!(nested("[", "]", 129), None);
        assert_eq!(nested("[", "", 60_000), None);
        let deepest = "[".repeat(128) + &"]".repeat(128);
        assert_eq!(nested("[", "]", 128), Some(deepest));
        assert!(nested(r#"{"b":1,"a":["#, "]}", 64).is_some());
        assert_eq!(nested(r#"{"b":1,"a":["#, "]}", 65), None);
    }

    #[test]
    fn members_are_sorted_by_their_bytes_and_equal_names_keep_their_order() {
        for (text, expected) in [
            (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
            (r#"{"a\u0000":1,"a":2}"#, r#"{"a":2,"a\u0000":1}"#),
            (r#"{"é":1,"z":2,"Z":3}"#, r#"{"Z":3,"z":2,"é":1}"#),
            (
                r#"{"0123456789abcdefb":1,"0123456789abcdefa":2,"0123456789abcdef":3,"0123456789abcde":4}"#,
                r#"{"0123456789abcde":4,"0123456789abcdef":3,"0123456789abcdefa":2,"0123456789abcdefb":1}"#,
            ),
            (
                r#"{"0123456789abcdef\u0000":1,"0123456789abcde\u0000":2,"0123456789abcdef":3,"0123456789abcde":4}"#,
                r#"{"0123456789abcde":4,"0123456789abcde\u0000":2,"0123456789abcdef":3,"0123456789abcdef\u0000":1}"#,
            ),
            (
                r#"{"a":3,"b":1,"a":2,"\u0061":1}"#,
                r#"{"a":3,"a":2,"a":1,"b":1}"#,
            ),
            (
                r#"{"x":{"b":[{"d":1,"c":2}],"a":1},"":0}"#,
                r#"{"":0,"x":{"a":1,"b":[{"c":2,"d":1}]}}"#,
            ),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }
}
