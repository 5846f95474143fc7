//! A callback as bytes, for a store that outlives the process.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::callback::{Parts, RecordCallback};
use crate::extra_params::ExtraParams;
use crate::identity::DeliveryKey;
use crate::signature::{is_nonce, parse_timestamp};
use crate::time::UnixSeconds;
use crate::wire::has_control_character;

/// The first byte of the only form that there is so far.
const VERSION: u8 = 1;

/// Why stored bytes were not restored to a [`RecordCallback`].
///
/// ```
/// use zego_record_core::{DeliveryKey, RecordCallback, RestoreErrorKind};
///
/// let key = DeliveryKey::from_bytes([0; 32]);
/// let error = RecordCallback::restore_trusted(b"\xffnonsense", key).unwrap_err();
/// assert_eq!(error.kind(), RestoreErrorKind::UnknownVersion);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreError(RestoreErrorKind);

/// What is wrong with stored bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreErrorKind {
    /// They are in a form that this version of the crate does not know, perhaps written by a newer one.
    UnknownVersion,
    /// They are cut off, or hold what no callback can.
    Malformed,
    /// Their content has another delivery key than the expected one.
    KeyMismatch,
}

impl RestoreError {
    /// What is wrong with the bytes.
    pub const fn kind(&self) -> RestoreErrorKind {
        self.0
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            RestoreErrorKind::UnknownVersion => {
                "the stored callback is in a form that this version does not know"
            }
            RestoreErrorKind::Malformed => "the stored callback is damaged",
            RestoreErrorKind::KeyMismatch => {
                "the stored callback has another delivery key than the one it is stored under"
            }
        })
    }
}

impl Error for RestoreError {}

impl RecordCallback {
    /// This callback as bytes, for a store that outlives the process. They begin with the version of
    /// their form, and every later version of this crate reads what this one writes.
    ///
    /// Everything is kept but the signature. Whoever reads a fresh signature could send any body under
    /// it, which neither a database nor its backups should make possible, and nobody checks a signature
    /// again. Store the [`delivery_key`](Self::delivery_key) beside the bytes; restoring takes both.
    pub fn to_stored(&self) -> Vec<u8> {
        let parts = self.parts();
        let mut out = vec![VERSION];
        push_text(&mut out, &parts.appid);
        push_text(&mut out, &parts.stream_alias);
        push_text(&mut out, &parts.replay_url);
        for time in [parts.begin_time, parts.end_time, parts.timestamp] {
            out.extend_from_slice(&time.get().to_be_bytes());
        }
        push_text(&mut out, &parts.nonce);
        push_number(&mut out, parts.secret_index);
        match parts.extra_params.text() {
            None => out.push(0),
            Some(text) => {
                out.push(1);
                push_text(&mut out, text);
            }
        }
        for (name, text) in &parts.others {
            push_text(&mut out, name);
            push_text(&mut out, text);
        }
        out
    }

    /// Restores a callback that [`to_stored`](Self::to_stored) has written, without a secret: secrets are
    /// replaced, stored callbacks stay.
    ///
    /// **This is a trust boundary.** No signature is checked. A callback is otherwise made by
    /// [`Verifier`](crate::Verifier) alone; this function makes one out of whatever bytes it is given, so
    /// give it only what your own receiver has stored. Whoever can write to that store can write any
    /// callback.
    ///
    /// The delivery key is computed again from the content and compared with `expected_key`, which finds
    /// damage and mixed-up rows. Timestamp, nonce and [`secret_index`](Self::secret_index) are no part of
    /// the content, and their values are not protected by it.
    ///
    /// # Errors
    ///
    /// If the bytes are of an unknown version, if they are damaged, or if their delivery key is not
    /// `expected_key`. Bytes of any kind do not panic, and take no more memory than a few times their
    /// length.
    pub fn restore_trusted(bytes: &[u8], expected_key: DeliveryKey) -> Result<Self, RestoreError> {
        let Some((&VERSION, rest)) = bytes.split_first() else {
            return Err(RestoreError(RestoreErrorKind::UnknownVersion));
        };
        let parts = Reader(rest)
            .parts()
            .filter(is_possible)
            .ok_or(RestoreError(RestoreErrorKind::Malformed))?;
        let callback = Self::from_parts(Arc::new(parts));
        if callback.delivery_key() == expected_key {
            Ok(callback)
        } else {
            Err(RestoreError(RestoreErrorKind::KeyMismatch))
        }
    }
}

/// Whether a verifier could have accepted it: a handler relies on that.
fn is_possible(parts: &Parts) -> bool {
    let known = [&parts.appid, &parts.stream_alias, &parts.replay_url];
    let extra_params = parts.extra_params.text().unwrap_or_default();
    known.iter().all(|text| !text.is_empty())
        && !known.iter().any(|text| has_control_character(text))
        && !has_control_character(extra_params)
        && parse_timestamp(&parts.timestamp.to_string()).is_some()
        && is_nonce(&parts.nonce)
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    push_number(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Seven bits in each byte, the lowest first; the highest bit says that more follow.
fn push_number(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// What is left of the bytes. Nothing is allocated for a length before that many bytes are there.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn parts(mut self) -> Option<Parts> {
        Some(Parts {
            appid: self.text()?,
            stream_alias: self.text()?,
            replay_url: self.text()?,
            begin_time: self.time()?,
            end_time: self.time()?,
            timestamp: self.time()?,
            nonce: self.text()?,
            signature: None,
            secret_index: self.number()?,
            extra_params: ExtraParams::new(self.optional_text()?),
            others: self.pairs()?,
            key: OnceLock::new(),
        })
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let &[byte] = self.take(1)? else { return None };
            let low = u64::from(byte & 0x7f);
            number |= low << shift;
            if number >> shift != low {
                return None;
            }
            if byte < 0x80 {
                // There is one way to write a number, so the same callback is the same bytes.
                if byte == 0 && shift > 0 {
                    return None;
                }
                return usize::try_from(number).ok();
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()?;
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        Some(text.to_owned())
    }

    fn optional_text(&mut self) -> Option<Option<String>> {
        match self.take(1)? {
            [0] => Some(None),
            [1] => self.text().map(Some),
            _ => None,
        }
    }

    fn time(&mut self) -> Option<UnixSeconds> {
        let bytes = self.take(8)?.try_into().ok()?;
        Some(UnixSeconds::new(i64::from_be_bytes(bytes)))
    }

    /// All that is left.
    fn pairs(&mut self) -> Option<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        while !self.0.is_empty() {
            pairs.push((self.text()?, self.text()?));
        }
        Some(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_it_was_written_and_none_is_too_long() {
        for number in [0, 1, 127, 128, 300, 65_536, usize::MAX] {
            let mut bytes = Vec::new();
            push_number(&mut bytes, number);
            assert_eq!(Reader(&bytes).number(), Some(number));
            assert_eq!(Reader(&bytes[..bytes.len() - 1]).number(), None, "{number}");
        }
        // One bit more than fits.
        let too_long = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03];
        assert_eq!(Reader(&too_long).number(), None);
        assert_eq!(Reader(&[0x80; 20]).number(), None);
        assert_eq!(Reader(&[0x81, 0x00]).number(), None);
    }

    #[test]
    fn nothing_is_allocated_for_a_length_that_is_not_there() {
        let mut bytes = Vec::new();
        push_number(&mut bytes, usize::MAX);
        assert_eq!(Reader(&bytes).text(), None);
    }
}
