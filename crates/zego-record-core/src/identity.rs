//! Which callbacks are the same delivery.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::Write as _;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::field::Field;
use crate::time::UnixSeconds;
use crate::wire::{Document, write_canonical};

/// The delivery key, the idempotency key of a callback: SHA-256 over everything that it says.
///
/// It covers every field, unknown ones too, except timestamp, nonce and signature, which differ when
/// a callback is signed anew for a retry. The same content as JSON, as a form or serialised in another
/// way has the same key. Callbacks for two files of one recording have different keys.
///
/// The bytes that it hashes never change, so a key can be stored, and the unique column of a database
/// belongs on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryKey([u8; 32]);

impl DeliveryKey {
    /// Creates a key from the 32 bytes that a store has kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 bytes, which a replay guard keeps for every signature.
    pub fn content_digest(&self) -> [u8; 16] {
        std::array::from_fn(|index| self.0[index])
    }

    /// The key of all that a body says, except what belongs to the signature.
    pub(crate) fn of_document(document: &Document<'_>) -> Self {
        let content = |field| {
            let text = document.get(field).filter(|text| !text.is_empty())?;
            Some(Content::of_field(field, text))
        };
        Self::of(document.len(), content, document.others())
    }

    /// Hashes the content of the documented fields, and the other fields by name and text. Their order
    /// does not matter, except among fields of the same name. `length` is about how long all is.
    ///
    /// The bytes that are hashed here never change: databases hold keys that were made from them.
    pub(crate) fn of<'a>(
        length: usize,
        content: impl Fn(Field) -> Option<Content<'a>>,
        others: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Self {
        let mut others: Vec<_> = others.collect();
        others.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut others = others.into_iter().peekable();
        let mut hashed = Hashed::with_capacity(length);
        for field in HASHED {
            while let Some((name, text)) = others.next_if(|(name, _)| **name < *field.name()) {
                hashed.push(&name, &Content::TextOrJson(text));
            }
            if let Some(content) = content(field) {
                hashed.push(field.name(), &content);
            }
        }
        for (name, text) in others {
            hashed.push(&name, &Content::TextOrJson(text));
        }
        Self(Sha256::digest(&hashed.0).into())
    }
}

/// The documented fields that are part of the content, sorted by name.
const HASHED: [Field; 7] = [
    Field::Appid,
    Field::BeginTime,
    Field::EndTime,
    Field::Event,
    Field::ExtraParams,
    Field::ReplayUrl,
    Field::StreamAlias,
];

/// The content of a field.
pub(crate) enum Content<'a> {
    Text(Cow<'a, str>),
    Time(UnixSeconds),
    /// Where the text is a JSON array or object, its canonical form counts. An object and the string that
    /// holds the same object are the same content, as they are for `extra_params`.
    TextOrJson(Cow<'a, str>),
}

impl<'a> Content<'a> {
    /// The content of a documented field. A time is the same however its digits are written.
    fn of_field(field: Field, text: Cow<'a, str>) -> Self {
        match field {
            Field::BeginTime | Field::EndTime => Self::of_time(text),
            Field::ExtraParams => Self::TextOrJson(text),
            _ => Self::Text(text),
        }
    }

    fn of_time(text: Cow<'a, str>) -> Self {
        // Nearly all times are ten digits, which are not read to be written as they are.
        let is_usual = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_usual && !text.starts_with('0') {
            return Self::Text(text);
        }
        match UnixSeconds::parse(&text) {
            Some(time) => Self::Time(time),
            None => Self::Text(text),
        }
    }
}

/// All that is hashed. It is hashed at once, which costs less than piece by piece.
struct Hashed(Vec<u8>);

impl Hashed {
    fn with_capacity(length: usize) -> Self {
        let mut hashed = Vec::with_capacity(length.saturating_add(256));
        hashed.extend_from_slice(b"zego-record delivery 1\n");
        Self(hashed)
    }

    /// The name, `t` or `j`, and the content; name and content with their lengths before them.
    fn push(&mut self, name: &str, content: &Content<'_>) {
        self.with_length(|hashed| hashed.extend_from_slice(name.as_bytes()));
        let kind = self.0.len();
        self.0.push(b't');
        self.with_length(|hashed| match content {
            Content::Text(text) => hashed.extend_from_slice(text.as_bytes()),
            // Writing to a vector does not fail.
            Content::Time(time) => drop(write!(hashed, "{time}")),
            Content::TextOrJson(text) => {
                if write_canonical(text, hashed) {
                    hashed[kind] = b'j';
                } else {
                    hashed.extend_from_slice(text.as_bytes());
                }
            }
        });
    }

    fn with_length(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 8]);
        write(&mut self.0);
        let length = (self.0.len() - start - 8) as u64;
        self.0[start..start + 8].copy_from_slice(&length.to_be_bytes());
    }
}

/// Hashes the first eight bytes, which are a hash already. Use a hasher with a random key, since a peer
/// can choose contents whose keys begin alike.
impl Hash for DeliveryKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryKey({self})")
    }
}

/// Serialises as 64 hexadecimal digits.
impl Serialize for DeliveryKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
