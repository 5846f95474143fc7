//! SHA-1's length extension: a signature for a longer nonce, made without the secret.
//!
//! A digest is also the state of SHA-1 after the message and its padding. So who has seen a signature whose
//! nonce sorts last can go on from there: the padding and anything after it become the nonce's new end. Such
//! a nonce is no text, so a form has to carry it.

use bytes::Bytes;
use http::Request;
use sha1::block_api::compress;
use zego_record_core::WireForm;
use zego_record_testkit::SignedRequest;

use super::client::Client;

const BLOCK: usize = 64;

/// What is appended after the padding.
const TAIL: u8 = b'7';

/// A forged request under a signature that is right; `None` where the secret sorts last, so that nobody can
/// do this.
pub(super) fn forged(client: &Client) -> Option<Request<Bytes>> {
    let nonce = format!("z{}", client.nonce(3));
    if client.secret_text() >= nonce.as_str() {
        return None;
    }
    let captured = client
        .recording()
        .wire_form(WireForm::Form)
        .nonce(nonce.as_str());
    let captured = captured.build();
    let length = client.secret_text().len() + captured.timestamp().len() + nonce.len();
    let (end, signature) = extend(captured.signature()?, length)?;
    Some(with(&captured, &nonce, &end, &signature))
}

/// What the message is longer by, and the digest of the longer one.
fn extend(digest: &str, length: usize) -> Option<(Vec<u8>, String)> {
    let mut end = padding(length);
    end.push(TAIL);
    let mut last = vec![TAIL];
    last.extend(padding(length + end.len()));
    let bytes = hex::decode(digest).ok()?;
    let mut state = [0; 5];
    for (word, bytes) in state.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_be_bytes(bytes.try_into().ok()?);
    }
    compress(&mut state, &[last.try_into().ok()?]);
    Some((end, hex::encode(state.map(u32::to_be_bytes).concat())))
}

/// A one bit, zeros, and the length in bits, up to the end of a block.
fn padding(length: usize) -> Vec<u8> {
    let zeros = (2 * BLOCK - 9 - length % BLOCK) % BLOCK;
    let mut padding = vec![0x80];
    padding.extend(std::iter::repeat_n(0, zeros));
    padding.extend((length as u64 * 8).to_be_bytes());
    padding
}

fn with(captured: &SignedRequest, nonce: &str, end: &[u8], signature: &str) -> Request<Bytes> {
    let end: String = end.iter().map(|byte| format!("%{byte:02X}")).collect();
    let body = String::from_utf8_lossy(captured.body());
    let body = body
        .replace(nonce, &format!("{nonce}{end}"))
        .replace(captured.signature().unwrap_or_default(), signature);
    captured.clone().into_http().map(|_| Bytes::from(body))
}

#[cfg(test)]
mod tests {
    use sha1::{Digest, Sha1};

    use super::*;

    #[test]
    fn the_digest_is_that_of_the_longer_message() {
        for length in [0, 1, 54, 55, 56, 63, 64, 119, 200] {
            let message = vec![b'a'; length];
            let digest = hex::encode(Sha1::digest(&message));
            let (end, extended) = extend(&digest, length).unwrap();
            let longer = [message, end].concat();
            assert_eq!(extended, hex::encode(Sha1::digest(longer)), "{length}");
        }
        assert_eq!(extend("no digest", 1), None);
    }
}
