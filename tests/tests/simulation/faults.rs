//! What goes wrong, drawn at random.

use std::time::Duration;

use fastrand::Rng;

/// How bad the world is, drawn once for each seed, so that there are worlds with one kind of fault.
#[derive(Debug)]
pub(crate) struct Weather {
    pub(crate) network: f64,
    pub(crate) handler: f64,
    pub(crate) store: f64,
    pub(crate) process: f64,
    pub(crate) clock: f64,
    /// When the store cannot be reached at all.
    pub(crate) outage: Option<(Duration, Duration)>,
    /// How long ZEGOCLOUD waits for an answer, which it does not say.
    pub(crate) sender_timeout: Duration,
    /// Whether a retry is expected that long after the attempt before it began, or after it failed.
    pub(crate) gap_from_failure: bool,
    /// Whether a retry is signed anew.
    pub(crate) signs_anew: bool,
    /// Whether the server drops a request's future when the client goes away.
    pub(crate) drops_futures: bool,
}

impl Weather {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let mut level = || [0.0, 0.0, 0.1, 0.3, 0.7][rng.usize(..5)];
        let (network, handler, store, process, clock) =
            (level(), level(), level() / 2.0, level(), level());
        let outage = rng.bool().then(|| {
            let begin = millis(rng, 0, 60_000);
            (begin, begin + millis(rng, 500, 40_000))
        });
        Self {
            network,
            handler,
            store,
            process,
            clock,
            outage: outage.filter(|_| store > 0.0),
            sender_timeout: millis(rng, 500, 15_000),
            gap_from_failure: rng.bool(),
            signs_anew: rng.bool(),
            drops_futures: rng.bool(),
        }
    }
}

/// What happens to one request on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum NetworkFault {
    /// The connection breaks before the request is there.
    LostBefore,
    /// The connection breaks so long after the request is there.
    LostAfter(Duration),
    AnswerDropped,
    /// A proxy sends a copy so much later.
    Doubled(Duration),
}

impl NetworkFault {
    pub(crate) fn draw(rng: &mut Rng, probability: f64) -> Option<Self> {
        happens(rng, probability).then(|| match rng.u8(..4) {
            0 => Self::LostBefore,
            1 => Self::LostAfter(millis(rng, 0, 10_000)),
            2 => Self::AnswerDropped,
            _ => Self::Doubled(millis(rng, 0, 12_000)),
        })
    }
}

/// What one run of the handler does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    pub(crate) before: Duration,
    pub(crate) has_effect: bool,
    /// The process dies right after the effect, or where it would have been.
    pub(crate) crashes: bool,
    pub(crate) after: Duration,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Succeeds,
    Discards,
    Fails,
    Panics,
    Hangs,
}

impl Behaviour {
    pub(crate) fn draw(rng: &mut Rng, probability: f64, crashes: f64) -> Self {
        let crashes = happens(rng, crashes / 4.0);
        let quick = Self {
            before: millis(rng, 0, 3_900),
            has_effect: true,
            crashes,
            after: if rng.bool() {
                Duration::ZERO
            } else {
                millis(rng, 0, 3_900)
            },
            end: End::Succeeds,
        };
        if !happens(rng, probability) {
            return Self {
                has_effect: !crashes || rng.bool(),
                ..quick
            };
        }
        let has_effect = rng.u8(..3) == 0;
        match rng.u8(..6) {
            0 => Self {
                end: End::Discards,
                has_effect: false,
                ..quick
            },
            1 => Self {
                end: End::Fails,
                has_effect,
                ..quick
            },
            2 => Self {
                end: End::Panics,
                has_effect,
                ..quick
            },
            3 => Self {
                end: End::Hangs,
                has_effect,
                ..quick
            },
            // Too slow, before the effect or after it.
            4 => Self {
                before: millis(rng, 8_100, 12_000),
                ..quick
            },
            _ => Self {
                after: millis(rng, 8_100, 12_000),
                ..quick
            },
        }
    }

    /// Whether the handler comes to a good end unless something stops it.
    pub(crate) fn succeeds(&self) -> bool {
        matches!(self.end, End::Succeeds | End::Discards)
            && !self.crashes
            && self.before + self.after < Duration::from_secs(8)
    }
}

/// What happens to one request to the store.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StoreFault {
    Unavailable,
    Corrupt,
    /// It is carried out, and the answer is an error.
    AnswerLost,
    /// It is carried out, and the answer comes after the timeout.
    AnswerLate,
    Hangs,
    /// It is carried out so much later.
    CarriedOutLate(Duration),
}

impl StoreFault {
    pub(crate) fn draw(rng: &mut Rng, probability: f64) -> Option<Self> {
        happens(rng, probability).then(|| match rng.u8(..7) {
            0 => Self::Unavailable,
            1 => Self::Corrupt,
            2 => Self::AnswerLost,
            3 => Self::AnswerLate,
            4 => Self::Hangs,
            // Mostly while somebody else may run.
            _ => Self::CarriedOutLate(millis(rng, 600, 12_000)),
        })
    }
}

pub(crate) fn happens(rng: &mut Rng, probability: f64) -> bool {
    rng.f64() < probability
}

pub(crate) fn millis(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.u64(from..to))
}
