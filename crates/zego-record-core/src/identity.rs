//! Which callbacks are the same delivery.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::field::Field;
use crate::time::UnixSeconds;
use crate::wire::{Document, canonical};

/// What makes two callbacks the same delivery: SHA-256 over all that they say.
///
/// It covers every field, unknown ones too, except timestamp, nonce and signature, which differ when
/// a callback is signed anew for a retry. The same content as JSON, as a form or re-serialised has
/// the same key. Callbacks for two files of one recording have different keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryKey([u8; 32]);

impl DeliveryKey {
    /// A key that a store has kept as bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 bytes, for a replay guard that keeps one for every signature.
    pub fn content_digest(&self) -> [u8; 16] {
        std::array::from_fn(|index| self.0[index])
    }

    /// The key of all that a body says, except what belongs to the signature.
    pub(crate) fn of_document(document: &Document<'_>) -> Self {
        let documented: Vec<_> = HASHED
            .into_iter()
            .filter_map(|field| Some((field, document.get(field)?)))
            .filter(|(_, text)| !text.is_empty())
            .collect();
        let others: Vec<_> = document.others().collect();
        let documented = documented
            .iter()
            .map(|(field, text)| (field.name(), Content::of_field(*field, text)));
        let others = others
            .iter()
            .map(|(name, text)| (&**name, Content::of(text)));
        Self::of(documented.chain(others).collect())
    }

    /// Hashes fields, given by name and text; their order does not matter, except among fields of the
    /// same name.
    pub(crate) fn of(mut fields: Vec<(&str, Content<'_>)>) -> Self {
        fields.sort_by_key(|(name, _)| *name);
        // Hashed at once, which costs less than piece by piece.
        let mut hashed = Vec::with_capacity(1024);
        hashed.extend_from_slice(b"zego-record delivery 1\n");
        for (name, content) in fields {
            let (kind, text) = match &content {
                Content::Text(text) => (b't', *text),
                Content::Number(digits) => (b't', digits.as_str()),
                Content::Json(json) => (b'j', json.as_str()),
            };
            push_with_length(&mut hashed, name);
            hashed.push(kind);
            push_with_length(&mut hashed, text);
        }
        Self(Sha256::digest(&hashed).into())
    }
}

/// The documented fields that are part of the content.
const HASHED: [Field; 7] = [
    Field::Appid,
    Field::BeginTime,
    Field::EndTime,
    Field::Event,
    Field::ExtraParams,
    Field::ReplayUrl,
    Field::StreamAlias,
];

/// The content of a field: a text, or a JSON array or object in its canonical form. An object and the
/// string that holds the same object are the same content, as they are for `extra_params`.
pub(crate) enum Content<'a> {
    Text(&'a str),
    Number(String),
    Json(String),
}

impl<'a> Content<'a> {
    /// The content of a documented field. A time is the same however its digits are written.
    pub(crate) fn of_field(field: Field, text: &'a str) -> Self {
        match field {
            Field::BeginTime | Field::EndTime => UnixSeconds::parse(text)
                .map_or(Self::Text(text), |time| Self::Number(time.to_string())),
            Field::ExtraParams => Self::of(text),
            _ => Self::Text(text),
        }
    }

    pub(crate) fn of(text: &'a str) -> Self {
        canonical(text).map_or(Self::Text(text), Self::Json)
    }
}

fn push_with_length(hashed: &mut Vec<u8>, text: &str) {
    hashed.extend_from_slice(&(text.len() as u64).to_be_bytes());
    hashed.extend_from_slice(text.as_bytes());
}

/// Of the first eight bytes, which are a hash already; a hasher with a random key makes them safe from
/// whoever picks contents.
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

/// As its hexadecimal text.
impl Serialize for DeliveryKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
