//! What goes wrong, drawn at random, until a time after which nothing does.

use std::time::Duration;

use fastrand::Rng;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

/// How bad the world is, drawn once for each seed, so that there are worlds with one kind of fault.
#[derive(Debug)]
pub(crate) struct Weather {
    /// All faults have an end; then everything must drain.
    pub(crate) end: Duration,
    pub(crate) network: f64,
    pub(crate) store: f64,
    pub(crate) handler: f64,
    pub(crate) process: f64,
    pub(crate) operator: f64,
    /// When the store cannot be reached at all.
    pub(crate) store_outage: Option<(Duration, Duration)>,
    /// When what every handler needs is down.
    pub(crate) handler_outage: Option<(Duration, Duration)>,
    pub(crate) reaction: Reaction,
    /// Whether a worker learns at once of what was accepted, as in the process that has accepted it.
    pub(crate) shares_arrivals: bool,
    pub(crate) signs_anew: bool,
    pub(crate) machines: usize,
    pub(crate) callbacks: usize,
    pub(crate) settings: Settings,
}

/// How the workers of a world are configured.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) delays: Vec<Duration>,
    pub(crate) concurrency: usize,
    pub(crate) handler_timeout: Duration,
    pub(crate) lease: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) shutdown_timeout: Duration,
}

/// What is done while the thing that every handler needs is down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reaction {
    Fails,
    Postpones,
    /// The worker is allowed to claim nothing.
    ClaimsNothing,
}

impl Weather {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        match rng.u8(..200) {
            0 => Self::day_of_outage(rng),
            1..5 => Self::hours(rng),
            _ => Self::minutes(rng),
        }
    }

    /// Nothing is wrong except that no handler can succeed for a day.
    fn day_of_outage(rng: &mut Rng) -> Self {
        let delays = [
            5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
        ];
        Self {
            end: 24 * HOUR,
            network: 0.0,
            store: 0.0,
            handler: 0.0,
            process: 0.0,
            operator: 0.0,
            store_outage: None,
            handler_outage: Some((Duration::ZERO, 24 * HOUR)),
            settings: Settings {
                delays: delays.map(Duration::from_secs).to_vec(),
                poll_interval: 5 * MINUTE,
                ..Settings::draw(rng)
            },
            machines: 1,
            ..Self::minutes(rng)
        }
    }

    /// Outages and handlers that take hours.
    fn hours(rng: &mut Rng) -> Self {
        let minutes = Self::minutes(rng);
        let mut outage = || {
            let begin = millis(rng, 0, 3_600_000);
            rng.bool()
                .then(|| (begin, begin + millis(rng, 600_000, 3 * 3_600_000)))
        };
        Self {
            end: 4 * HOUR,
            store_outage: outage(),
            handler_outage: outage(),
            settings: Settings {
                delays: [30, 600, 1_800, 3_600, 7_200]
                    .map(Duration::from_secs)
                    .to_vec(),
                handler_timeout: 3 * HOUR,
                lease: MINUTE,
                poll_interval: 2 * MINUTE,
                ..minutes.settings.clone()
            },
            ..minutes
        }
    }

    fn minutes(rng: &mut Rng) -> Self {
        let mut level = || [0.0, 0.0, 0.1, 0.3, 0.6][rng.usize(..5)];
        let (network, store, handler, process, operator) =
            (level(), level() / 2.0, level(), level(), level());
        let mut outage = || {
            let begin = millis(rng, 0, 200_000);
            (rng.u8(..3) == 0).then(|| (begin, begin + millis(rng, 1_000, 100_000)))
        };
        Self {
            end: 5 * MINUTE,
            network,
            store,
            handler,
            process,
            operator,
            store_outage: outage().filter(|_| store > 0.0),
            handler_outage: outage().filter(|_| handler > 0.0),
            reaction: [
                Reaction::Fails,
                Reaction::Postpones,
                Reaction::ClaimsNothing,
            ][rng.usize(..3)],
            shares_arrivals: rng.bool(),
            signs_anew: rng.bool(),
            machines: rng.usize(1..=3),
            callbacks: rng.usize(1..=5),
            settings: Settings::draw(rng),
        }
    }

    /// Whether the only thing that may go wrong is an outage of the handler.
    pub(crate) fn is_day_of_outage(&self) -> bool {
        self.end == 24 * HOUR
    }
}

impl Settings {
    fn draw(rng: &mut Rng) -> Self {
        let delays: &[u64] = [&[][..], &[5], &[5, 30], &[1, 5, 30, 60]][rng.usize(..4)];
        Self {
            delays: delays.iter().copied().map(Duration::from_secs).collect(),
            concurrency: rng.usize(1..=3),
            handler_timeout: millis(rng, 5_000, 90_000),
            lease: millis(rng, 15_000, 30_000),
            poll_interval: millis(rng, 1_000, 5_000),
            shutdown_timeout: millis(rng, 0, 20_000),
        }
    }

    pub(crate) fn max_attempts(&self) -> u32 {
        u32::try_from(self.delays.len()).unwrap() + 1
    }
}

/// What one run of the handler does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    pub(crate) before: Duration,
    pub(crate) has_effect: bool,
    pub(crate) after: Duration,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Succeeds,
    Fails,
    RetriesAfter(Duration),
    Postpones(Duration),
    Discards,
    GivesUp,
    Panics,
    Hangs,
}

impl Behaviour {
    pub(crate) fn good(rng: &mut Rng) -> Self {
        Self {
            before: millis(rng, 0, 2_000),
            has_effect: true,
            after: if rng.bool() {
                Duration::ZERO
            } else {
                millis(rng, 0, 2_000)
            },
            end: End::Succeeds,
        }
    }

    pub(crate) fn draw(rng: &mut Rng, probability: f64, timeout: Duration) -> Self {
        let good = Self::good(rng);
        if !happens(rng, probability) {
            return good;
        }
        let has_effect = rng.u8(..3) == 0;
        let longest = u64::try_from(timeout.as_millis()).unwrap() * 6 / 5;
        let end = match rng.u8(..10) {
            0 | 1 => End::Fails,
            2 => End::RetriesAfter(millis(rng, 0, 60_000)),
            3 => End::Postpones(millis(rng, 0, 60_000)),
            4 => End::Discards,
            5 => End::GivesUp,
            6 => End::Panics,
            7 => End::Hangs,
            8 => {
                return Self {
                    before: millis(rng, 0, longest),
                    ..good
                };
            }
            _ => {
                return Self {
                    after: millis(rng, 0, longest),
                    ..good
                };
            }
        };
        Self {
            has_effect,
            end,
            ..good
        }
    }
}

/// What happens to one request to the store.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StoreFault {
    Unavailable,
    /// It is carried out, and the answer is an error.
    AnswerLost,
    /// It is carried out, and the answer comes so much later, perhaps too late.
    AnswerLate(Duration),
    /// It is carried out so much later, perhaps after the caller has given up and was dropped.
    Slow(Duration),
    /// It is carried out so much later, whatever becomes of the caller.
    CarriedOutLate(Duration),
    Hangs,
}

impl StoreFault {
    pub(crate) fn draw(rng: &mut Rng, probability: f64) -> Option<Self> {
        happens(rng, probability).then(|| match rng.u8(..6) {
            0 => Self::Unavailable,
            1 => Self::AnswerLost,
            2 => Self::AnswerLate(millis(rng, 100, 8_000)),
            3 => Self::Slow(millis(rng, 100, 8_000)),
            4 => Self::CarriedOutLate(millis(rng, 100, 40_000)),
            _ => Self::Hangs,
        })
    }

    pub(crate) fn outage(rng: &mut Rng) -> Self {
        if rng.bool() {
            Self::Unavailable
        } else {
            Self::Hangs
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::AnswerLost => "answer lost",
            Self::AnswerLate(_) => "answer late",
            Self::Slow(_) => "slow",
            Self::CarriedOutLate(_) => "carried out late",
            Self::Hangs => "hangs",
        }
    }
}

pub(crate) fn happens(rng: &mut Rng, probability: f64) -> bool {
    rng.f64() < probability
}

pub(crate) fn millis(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.u64(from..to))
}
