//! Decides what the quarantine hook gets to see.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zego_record_core::{Signature, Unverified};

use crate::rate_limit::RateLimit;

const PER_SECOND: u32 = 10;
/// Contents for one signature. A genuine one has one content; more come from somebody who has captured it.
const MAX_CONTENTS: usize = 4;
const MAX_SIGNATURES: usize = 4_096;

/// Lets each signature and content through once, and at a bounded rate: one captured request must not
/// fill a disk.
#[derive(Debug)]
pub(crate) struct Quarantine {
    hasher: RandomState,
    seen: Mutex<Seen>,
    rate: RateLimit,
}

#[derive(Debug, Default)]
struct Seen {
    contents: HashMap<[u8; 20], Vec<u64>>,
    arrivals: VecDeque<[u8; 20]>,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            seen: Mutex::default(),
            rate: RateLimit::new(PER_SECOND),
        }
    }
}

impl Quarantine {
    /// Whether a body that was signed and rejected is new and may be handed over.
    pub(crate) fn takes(&self, body: &[u8], now: Duration) -> bool {
        let Some(signature) = signature_of(body) else {
            return false;
        };
        let content = self.hasher.hash_one(body);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_new(*signature.as_bytes(), content, || {
            self.rate.allow(now).is_some()
        })
    }
}

impl Seen {
    fn is_new(
        &mut self,
        signature: [u8; 20],
        content: u64,
        is_allowed: impl FnOnce() -> bool,
    ) -> bool {
        let known = self.contents.get(&signature).map_or(&[][..], Vec::as_slice);
        // What the rate suppresses is not remembered: a retry may still get through.
        if known.len() >= MAX_CONTENTS || known.contains(&content) || !is_allowed() {
            return false;
        }
        if known.is_empty() {
            self.arrivals.push_back(signature);
        }
        self.contents.entry(signature).or_default().push(content);
        if self.arrivals.len() > MAX_SIGNATURES
            && let Some(oldest) = self.arrivals.pop_front()
        {
            self.contents.remove(&oldest);
        }
        true
    }
}

/// The signature of a body that is known to be signed.
pub(crate) fn signature_of(body: &[u8]) -> Option<Signature> {
    Signature::from_hex(Unverified::read(body).ok()?.signature()?)
}
