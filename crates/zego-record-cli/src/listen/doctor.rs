//! The doctor of `verify` for requests that are rejected, at a rate that a flood cannot raise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::event::{Event, Events};
use crate::secrets::Secret;
use crate::verify;

/// The most bodies that are examined at once; one more is allowed each second.
const BURST: u32 = 5;
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Doctor {
    secrets: Arc<Secrets>,
    rate: Mutex<Rate>,
}

#[derive(Debug)]
struct Secrets {
    configured: Vec<Secret>,
    others: Vec<Secret>,
}

impl Doctor {
    pub(super) fn new(configured: Vec<Secret>, others: Vec<Secret>) -> Self {
        Self {
            secrets: Arc::new(Secrets { configured, others }),
            rate: Mutex::new(Rate::new(Instant::now())),
        }
    }

    /// Examines a body on a thread of its own and sends what it finds, unless too many were examined.
    pub(super) fn examine(&self, number: u64, body: Bytes, events: Events) {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(skipped) = rate.take(Instant::now()) else {
            return;
        };
        let secrets = Arc::clone(&self.secrets);
        tokio::task::spawn_blocking(move || {
            let found = verify::explain(&body, &secrets.configured, &secrets.others);
            if let Ok((mistakes, notes)) = found
                && !(mistakes.is_empty() && notes.is_empty())
            {
                events.send(Event::diagnosis(number, mistakes, notes, skipped));
            }
        });
    }
}

#[derive(Debug)]
struct Rate {
    left: u32,
    since: Instant,
    skipped: u64,
}

impl Rate {
    fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            since: now,
            skipped: 0,
        }
    }

    /// Takes one, and returns how many were skipped before it; `None` if it is to be skipped.
    fn take(&mut self, now: Instant) -> Option<u64> {
        while self.left < BURST && now.saturating_duration_since(self.since) >= EVERY {
            self.left += 1;
            self.since += EVERY;
        }
        if self.left == BURST {
            self.since = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(std::mem::take(&mut self.skipped))
            }
            None => {
                self.skipped = self.skipped.saturating_add(1);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_examined_once_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let burst: Vec<_> = (0..8).map(|_| rate.take(at(0))).collect();
        assert_eq!(burst[..5], [Some(0); 5]);
        assert_eq!(burst[5..], [None; 3]);
        assert_eq!(rate.take(at(999)), None);
        assert_eq!(rate.take(at(1_000)), Some(4));
        assert_eq!(rate.take(at(1_500)), None);
        // A long pause fills it up again, and no further.
        let later: Vec<_> = (0..6).map(|_| rate.take(at(3_600_000))).collect();
        assert_eq!(later[..2], [Some(1), Some(0)]);
        assert_eq!(later[5], None);
    }
}
