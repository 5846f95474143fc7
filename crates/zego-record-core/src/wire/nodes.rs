//! A JSON value as a flat list, in the order in which it stands in the text.

use super::escape;
use super::nested::{MAX_DEPTH, Token};
use super::scan::{Quoted, Scanner};
use super::text::Span;

pub(super) struct Nodes<'a> {
    pub(super) text: &'a str,
    /// The names that have escapes, decoded and one after the other: they are compared often.
    pub(super) names: String,
    pub(super) all: Vec<Node>,
}

/// A value, and its name if it is a member of an object.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) name: Name,
    /// Where it stands, of a string with escapes only the inside.
    pub(super) at: Range,
    /// The index after its last descendant.
    next: u32,
}

/// As a [`Span`], in half the space. Longer texts than that are not read.
#[derive(Clone, Copy, Default)]
pub(super) struct Range {
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Array,
    Object,
    /// Written as it stands: what came without escapes needs none.
    Plain,
    /// A member that is written as it stands, with its name.
    PlainMember,
    /// A string with escapes.
    Escaped,
}

#[derive(Clone, Copy)]
pub(super) enum Name {
    None,
    /// In the text.
    Plain(Range),
    /// In the names that have escapes.
    Decoded(Range),
}

impl<'a> Nodes<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        u32::try_from(text.len()).ok()?;
        let mut nodes = Self {
            text,
            names: String::new(),
            all: Vec::with_capacity(4 + text.len() / 16),
        };
        let mut name = Name::None;
        // The innermost array or object that is open. Until it is closed, its `next` is the one around it.
        let mut open = 0;
        let mut scanner = Scanner::new(text);
        let walked = scanner.walk(MAX_DEPTH, |token| match token {
            Token::OpenObject => open = nodes.open(Kind::Object, &mut name, open),
            Token::OpenArray => open = nodes.open(Kind::Array, &mut name, open),
            Token::Close => open = nodes.close(open),
            Token::Name(quoted) => name = nodes.name(quoted),
            Token::String(quoted) if quoted.has_escapes => {
                nodes.push(Kind::Escaped, &mut name, quoted.inside.into());
            }
            Token::String(quoted) => nodes.push_plain(&mut name, quoted.with_quotes().into()),
            Token::Plain(span) => nodes.push_plain(&mut name, span.into()),
        });
        (walked.is_ok() && scanner.is_at_end()).then_some(nodes)
    }

    /// Appends an array or object, and returns its index.
    fn open(&mut self, kind: Kind, name: &mut Name, around: u32) -> u32 {
        let own = index(self.all.len());
        self.push(kind, name, Range::default());
        if let Some(node) = self.all.last_mut() {
            node.next = around;
        }
        own
    }

    /// Ends an array or object, and returns the index of the one around it.
    fn close(&mut self, at: u32) -> u32 {
        let next = index(self.all.len());
        let node = self.all.get_mut(at as usize);
        node.map_or(0, |node| std::mem::replace(&mut node.next, next))
    }

    /// Appends what is written as it stands. Elements of an array with nothing but a comma between them
    /// become one piece, and so do a name and its value with nothing but a colon between them.
    fn push_plain(&mut self, name: &mut Name, at: Range) {
        match (self.all.last_mut(), *name) {
            (Some(last), Name::None) if last.is_plain_element() && last.at.end + 1 == at.start => {
                last.at.end = at.end;
            }
            (_, Name::Plain(own)) if own.end + 2 == at.start => {
                let start = own.start - 1;
                let end = at.end;
                self.push(Kind::PlainMember, name, Range { start, end });
            }
            _ => self.push(Kind::Plain, name, at),
        }
    }

    fn push(&mut self, kind: Kind, name: &mut Name, at: Range) {
        let next = index(self.all.len() + 1);
        let name = std::mem::replace(name, Name::None);
        self.all.push(Node {
            kind,
            name,
            at,
            next,
        });
    }

    fn name(&mut self, quoted: Quoted) -> Name {
        if !quoted.has_escapes {
            return Name::Plain(quoted.inside.into());
        }
        let start = index(self.names.len());
        escape::decode_into(quoted.inside.of(self.text), &mut self.names);
        let end = index(self.names.len());
        Name::Decoded(Range { start, end })
    }

    pub(super) fn name_of(&self, at: u32) -> &str {
        match self.get(at).map(|node| node.name) {
            Some(Name::Plain(range)) => range.of(self.text),
            Some(Name::Decoded(range)) => range.of(&self.names),
            Some(Name::None) | None => "",
        }
    }

    pub(super) fn children(&self, at: u32) -> impl Iterator<Item = u32> + '_ {
        let end = self.get(at).map_or(0, |node| node.next);
        let next = move |at: &u32| self.get(*at).map(|node| node.next);
        std::iter::successors(Some(at + 1), next).take_while(move |child| *child < end)
    }

    pub(super) fn get(&self, at: u32) -> Option<&Node> {
        self.all.get(at as usize)
    }
}

impl Node {
    fn is_plain_element(&self) -> bool {
        matches!((self.kind, self.name), (Kind::Plain, Name::None))
    }
}

impl Range {
    pub(super) fn of(self, text: &str) -> &str {
        let span = Span {
            start: self.start as usize,
            end: self.end as usize,
        };
        span.of(text)
    }
}

impl Range {
    pub(super) fn length(self) -> u32 {
        self.end - self.start
    }
}

impl From<Span> for Range {
    fn from(span: Span) -> Self {
        Self {
            start: index(span.start),
            end: index(span.end),
        }
    }
}

/// A place in a text, which is short enough for it.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_without_white_space_are_one_piece() {
        for (text, nodes) in [
            ("[1,\"a\",null]", 2),
            ("[1, 2,3]", 3),
            ("[1,[2,3],4]", 5),
            ("[\"\\n\",1,2,\"\\n\",3]", 5),
            ("{\"a\":1,\"b\":2}", 3),
            ("[{\"a\":1},2]", 4),
        ] {
            assert_eq!(Nodes::read(text).unwrap().all.len(), nodes, "{text}");
        }
    }
}
