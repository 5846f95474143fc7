//! The bytes of a stored callback, read from the description of their form.

use std::collections::HashMap;

use super::delivery_key::delivery_key;
use super::json::Json;
use super::verdict::Member;

/// What is stored of a callback.
#[derive(Debug)]
pub struct Stored {
    /// AppID, stream and address, in this order.
    pub texts: [String; 3],
    /// Begin, end and timestamp, in this order.
    pub times: [i64; 3],
    /// The nonce.
    pub nonce: String,
    /// Which secret it was verified with.
    pub secret_index: u64,
    /// What the vendor says.
    pub extra_params: Option<String>,
    /// The fields that are not documented.
    pub others: Vec<(String, String)>,
}

impl Stored {
    /// `None` if the bytes are of another version, are damaged, or hold what no verifier accepts.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[1])?;
        let rest = &mut rest;
        let stored = Self {
            texts: [text(rest)?, text(rest)?, text(rest)?],
            times: [time(rest)?, time(rest)?, time(rest)?],
            nonce: text(rest)?,
            secret_index: number(rest)?,
            extra_params: match take(rest, 1)? {
                [0] => None,
                [1] => Some(text(rest)?),
                _ => return None,
            },
            others: {
                let mut others = Vec::new();
                while !rest.is_empty() {
                    others.push((text(rest)?, text(rest)?));
                }
                others
            },
        };
        stored.is_possible().then_some(stored)
    }

    /// The 64 digits of its key.
    pub fn delivery_key(&self) -> String {
        let [appid, stream_alias, replay_url] = self.texts.clone();
        let mut known = HashMap::from([
            ("event", "record".to_owned()),
            ("appid", appid),
            ("stream_alias", stream_alias),
            ("replay_url", replay_url),
            ("begin_time", self.times[0].to_string()),
            ("end_time", self.times[1].to_string()),
        ]);
        known.extend(self.extra_params.clone().map(|text| ("extra_params", text)));
        let others = self.others.iter().map(|(name, text)| Member {
            name: name.clone(),
            value: Json::Text(text.clone()),
            source: text.clone(),
        });
        delivery_key(&known, &others.collect::<Vec<_>>())
    }

    fn is_possible(&self) -> bool {
        let has_control = |text: &String| text.chars().any(char::is_control);
        let is_of_a_nonce = |char: char| char.is_ascii_alphanumeric() || "_-".contains(char);
        self.texts.iter().all(|text| !text.is_empty())
            && !self.texts.iter().chain(&self.extra_params).any(has_control)
            && (1_000_000_000..=9_999_999_999).contains(&self.times[2])
            && (1..=128).contains(&self.nonce.len())
            && self.nonce.chars().all(is_of_a_nonce)
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let taken = rest.get(..length)?;
    *rest = &rest[length..];
    Some(taken)
}

/// Seven bits in each byte, the lowest first; the highest bit says that more follow. It has 64 bits at
/// most, and no byte too many.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u128;
    for place in 0..10 {
        let byte = take(rest, 1)?[0];
        number += u128::from(byte % 128) << (7 * place);
        if byte < 128 {
            let is_shortest = byte > 0 || place == 0;
            return u64::try_from(number).ok().filter(|_| is_shortest);
        }
    }
    None
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(number(rest)?).ok()?;
    String::from_utf8(take(rest, length)?.to_vec()).ok()
}

fn time(rest: &mut &[u8]) -> Option<i64> {
    let bytes = take(rest, 8)?.try_into().ok()?;
    Some(i64::from_be_bytes(bytes))
}
