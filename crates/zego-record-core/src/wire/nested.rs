//! JSON at any depth, one token after the other.

use super::scan::{Quoted, Scanner};
use super::text::Span;
use crate::rejection::Malformed;

/// Arrays and objects may be nested this deep, the document itself being the first level. It is as many
/// levels as there are bits in a `u128`.
pub(super) const MAX_DEPTH: u32 = u128::BITS;

/// A step on the way through a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    OpenObject,
    OpenArray,
    Close,
    /// The name of a member, whose value is next.
    Name(Quoted),
    String(Quoted),
    /// A number, `true`, `false` or `null`, or `{}` or `[]` without white space.
    Plain(Span),
}

/// Which of the levels around a token are objects, the innermost being the lowest bit.
#[derive(Default)]
struct Levels {
    objects: u128,
    depth: u32,
}

impl Levels {
    fn open(&mut self, is_object: bool, most: u32) -> Result<(), Malformed> {
        if self.depth == most {
            return Err(Malformed::TooDeep);
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(is_object);
        Ok(())
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

impl Scanner<'_> {
    /// Reads one value, of `most` levels at most (no more than [`MAX_DEPTH`]), and hands over its tokens.
    /// It does not recurse, so a peer does not decide how much of the stack is used.
    pub(super) fn walk(&mut self, most: u32, mut on: impl FnMut(Token)) -> Result<Span, Malformed> {
        let mut levels = Levels::default();
        self.after_white_space();
        let start = self.position();
        loop {
            match self.after_white_space() {
                Some(open @ (b'{' | b'[')) => {
                    let is_object = open == b'{';
                    levels.open(is_object, most)?;
                    if let Some(span) = self.empty() {
                        levels.close();
                        on(Token::Plain(span));
                    } else {
                        self.advance();
                        if is_object {
                            on(Token::OpenObject);
                            if self.after_white_space() != Some(b'}') {
                                on(Token::Name(self.name()?));
                                continue;
                            }
                        } else {
                            on(Token::OpenArray);
                            if self.after_white_space() != Some(b']') {
                                continue;
                            }
                        }
                    }
                }
                Some(b'"') => on(Token::String(self.string()?)),
                _ => on(Token::Plain(self.plain()?)),
            }
            // A value has ended, or an array or object is about to.
            while levels.depth > 0 {
                match (self.after_white_space(), levels.in_object()) {
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.advance();
                        levels.close();
                        on(Token::Close);
                    }
                    (Some(b','), in_object) => {
                        self.advance();
                        if in_object {
                            on(Token::Name(self.name()?));
                        }
                        break;
                    }
                    _ => return Err(self.unexpected()),
                }
            }
            if levels.depth == 0 {
                return Ok(self.since(start));
            }
        }
    }
}
