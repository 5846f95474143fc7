//! The requests of a run: what is sent for each step of the plan.

use fastrand::Rng;
use zego_record_core::UnixSeconds;
use zego_record_testkit::{RequestBuilder, SignedRequest, Signing};

use super::plan::{Rejected, Step};
use crate::captured::Captured;
use crate::content::ContentArgs;
use crate::secrets::Secret;

/// How far from now the timestamp of a stale or future callback is.
const HOUR: i64 = 60 * 60;

/// Sixteen times what a receiver takes by default.
const OVERSIZE: usize = 1024 * 1024;

/// Makes the requests of a run.
#[derive(Debug)]
pub struct Callbacks {
    /// Keeps the nonces and files of this run apart from those of every other, also one with the same
    /// seed: a receiver would take them for a replay.
    salt: u64,
    secret: Secret,
    content: ContentArgs,
    captured: Option<Captured>,
}

impl Callbacks {
    pub(crate) fn new(secret: Secret, content: ContentArgs, captured: Option<Captured>) -> Self {
        Self {
            salt: fastrand::u64(..),
            secret,
            content,
            captured,
        }
    }

    /// The genuine callback that goes before those that must be rejected: without the fields that the
    /// options set, since they may be what is to be rejected.
    pub(crate) fn control(&self, step: &Step, now: UnixSeconds) -> SignedRequest {
        let plain = Self {
            salt: self.salt,
            secret: self.secret.clone(),
            content: self.content.without_edits(),
            captured: self.captured.clone(),
        };
        plain.request(step, now)
    }

    /// The first request for a callback, signed at `now`.
    pub(crate) fn request(&self, step: &Step, now: UnixSeconds) -> SignedRequest {
        let mut rng = Rng::with_seed(step.seed ^ self.salt);
        let nonce = nonce(step.index, self.salt, &mut rng);
        let builder = match &self.captured {
            None => {
                let recording = self
                    .content
                    .recording(&self.secret, now, step.index, &mut rng);
                self.content.apply(recording.nonce(nonce))
            }
            Some(captured) => {
                let builder = RequestBuilder::new(self.secret.text(), now).seed(rng.u64(..));
                let builder = builder.nonce(nonce);
                self.content.apply(captured.fill(builder))
            }
        };
        let builder = match step.rejected {
            None | Some(Rejected::AsAsked) => builder,
            Some(Rejected::Stale) => builder.age(HOUR),
            Some(Rejected::Future) => builder.age(-HOUR),
            Some(Rejected::BadSignature) => builder.signing(Signing::OtherSecret),
            Some(Rejected::Unsigned) => builder.signing(Signing::Unsigned),
            Some(Rejected::EmptySignature) => builder.field("signature", ""),
            Some(Rejected::NullSignature) => builder.field_json("signature", "null"),
            Some(Rejected::Oversize) => builder.field("padding", "x".repeat(OVERSIZE)),
        };
        builder.build()
    }
}

/// Of the kinds that were seen: 3, 6 and 19 digits, and 10 alphanumerics. Short ones are before the
/// timestamp as numbers and after it as strings, long ones the reverse, so that four callbacks in a row
/// find any order but the right one.
///
/// There are few short numbers, and one that comes twice within a second is a signature that comes twice:
/// the longer the run, the longer they are.
pub(crate) fn nonce(index: u64, salt: u64, rng: &mut Rng) -> String {
    match (index.wrapping_add(salt) % 4, index / 4) {
        (0, 0) => rng.u64(200..=999).to_string(),
        (2, block @ 0..50) => {
            let offset = (salt % 800_000 + block * 7_919) % 800_000;
            (200_000 + offset).to_string()
        }
        (0 | 2, _) => rng.u64(200_000_000..=999_999_999).to_string(),
        (1, _) => format!("10{:017}", rng.u64(..100_000_000_000_000_000)),
        _ => std::iter::repeat_with(|| rng.alphanumeric())
            .take(10)
            .collect(),
    }
}

/// What somebody sends who has seen `request` and wants another file to be fetched.
pub(crate) fn tampered(request: &SignedRequest) -> SignedRequest {
    request.tampered(|builder| {
        builder.field(
            "replay_url",
            "https://attacker.example.com/not-the-recording.mp4",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_nonces_in_a_row_find_every_wrong_order() {
        let mut rng = Rng::with_seed(7);
        let timestamp = "1760001893";
        for start in 0..100 {
            let nonces: Vec<String> = (start..start + 4)
                .map(|index| nonce(index, 5, &mut rng))
                .collect();
            let bytewise = |nonce: &String| nonce.as_str() < timestamp;
            assert!(
                nonces.iter().any(bytewise) && !nonces.iter().all(bytewise),
                "{nonces:?}"
            );
            let numbers = nonces
                .iter()
                .filter_map(|nonce| Some((nonce, nonce.parse::<u128>().ok()?)));
            let wrong =
                numbers.filter(|(nonce, number)| bytewise(nonce) != (*number < 1_760_001_893));
            assert!(wrong.count() >= 3, "{nonces:?}");
        }
    }
}
