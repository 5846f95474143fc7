//! What one seed leads to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};
use zego_record_core::DeliveryKey;
use zego_record_inbox::{EntryState, InboxStore};

use crate::faults::{MINUTE, SECOND, StoreFault, Weather, millis};
use crate::process::Machine;
use crate::store::{SimulatedClock, at_once};
use crate::totals::Totals;
use crate::truth::Truth;
use crate::{operator, zegocloud};

/// The time of day at which every simulation begins.
pub(crate) const BEGIN: i64 = 1_760_001_900;
/// After the last fault: the last retries of ZEGOCLOUD, and what is carried out late.
const LAST_ARRIVALS: Duration = Duration::from_secs(120);

pub(crate) struct World {
    pub(crate) weather: Weather,
    pub(crate) store: Arc<dyn InboxStore>,
    pub(crate) clock: SimulatedClock,
    pub(crate) machines: Vec<Machine>,
    begin: Instant,
    seed: u64,
    rngs: Mutex<BTreeMap<Stream, Rng>>,
    pub(super) state: Mutex<State>,
}

/// Whose random numbers they are. Each has its own, since the order in which tasks are woken at one moment
/// does not follow from the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    Callback(usize),
    Sender(usize),
    Machine(usize),
    Process(u32),
    Operator,
}

pub(crate) struct State {
    pub(crate) truths: Vec<Truth>,
    /// Which callbacks have an effect that is committed with its success.
    pub(crate) commits: Vec<bool>,
    pub(crate) keys: BTreeMap<DeliveryKey, usize>,
    pub(crate) ids: BTreeMap<i64, usize>,
    pub(crate) is_paused: bool,
    processes: u32,
    totals: Totals,
    violation: Option<String>,
    /// What has happened, if it is recorded.
    history: Option<Vec<String>>,
}

/// What came of a seed: the first promise that was broken, what was counted, and what has happened.
pub(crate) struct Simulated {
    pub(crate) result: Result<(), String>,
    pub(crate) totals: Totals,
    pub(crate) history: Vec<String>,
}

/// Runs one seed over a store, with its history if wanted.
pub(crate) fn simulate(
    seed: u64,
    store: impl FnOnce(&SimulatedClock) -> Arc<dyn InboxStore>,
    with_history: bool,
) -> Simulated {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // For the jitter of workers.
    fastrand::seed(seed);
    runtime.block_on(async {
        let mut rng = Rng::with_seed(seed);
        let weather = Weather::draw(&mut rng);
        let clock = SimulatedClock::new();
        let world = Arc::new(World {
            store: store(&clock),
            clock,
            machines: (0..weather.machines).map(|_| Machine::default()).collect(),
            begin: Instant::now(),
            state: Mutex::new(State {
                truths: (0..weather.callbacks).map(|_| Truth::default()).collect(),
                commits: (0..weather.callbacks).map(|_| rng.bool()).collect(),
                keys: BTreeMap::new(),
                ids: BTreeMap::new(),
                is_paused: false,
                processes: 0,
                totals: Totals::default(),
                violation: None,
                history: with_history.then(Vec::new),
            }),
            seed,
            rngs: Mutex::default(),
            weather,
        });
        world.note("world", || format!("{:?}", world.weather));
        world.run().await;
        // They hold the world, which holds them.
        world.machines.iter().for_each(Machine::stop);
        let mut state = world.state();
        Simulated {
            result: state.violation.take().map_or(Ok(()), Err),
            totals: std::mem::take(&mut state.totals),
            history: state.history.take().unwrap_or_default(),
        }
    })
}

impl World {
    async fn run(self: &Arc<Self>) {
        for number in 0..self.machines.len() {
            tokio::spawn(Machine::run(Arc::clone(self), number));
        }
        // All processes are up before the first callback comes.
        tokio::task::yield_now().await;
        let operator = tokio::spawn(operator::operate(Arc::clone(self)));
        let senders: Vec<_> = (0..self.weather.callbacks)
            .map(|callback| tokio::spawn(zegocloud::send(Arc::clone(self), callback)))
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        operator.await.unwrap();
        sleep((self.weather.end + LAST_ARRIVALS).saturating_sub(self.now())).await;
        self.drain().await;
        self.judge();
    }

    /// Everything comes to an end by itself, within what its last attempt may take.
    async fn drain(&self) {
        let settings = &self.weather.settings;
        let longest = settings.delays.iter().max().copied().unwrap_or_default();
        let limit = self.now()
            + settings.handler_timeout
            + longest * 6 / 5
            + settings.lease * 3
            + settings.poll_interval * 4
            + 5 * MINUTE;
        loop {
            let stats = at_once(self.store.stats()).unwrap();
            if stats.waiting + stats.running == 0 {
                return;
            }
            if self.now() > limit {
                return self.broken(format!("not drained: {stats:?}"));
            }
            sleep(10 * SECOND).await;
        }
    }

    fn judge(&self) {
        let keys = self.state().keys.clone();
        for callback in 0..self.weather.callbacks {
            let key = keys.iter().find(|(_, number)| **number == callback);
            let details = key.and_then(|(key, _)| at_once(self.store.get(key)).unwrap());
            let state = details.as_ref().map(|details| details.entry.state);
            let end = state.map_or("not stored", EntryState::as_str);
            self.note(format!("callback: {end}"), || callback.to_string());
            self.check(callback, |truth, _| {
                let is_right = match state {
                    None => !truth.is_stored && !truth.is_acknowledged,
                    Some(EntryState::Done) => truth.effects > 0,
                    Some(EntryState::Discarded) => truth.discarded,
                    Some(EntryState::Dead) => truth.given_up && !self.weather.is_day_of_outage(),
                    // It has not drained, which is reported already.
                    Some(EntryState::Waiting | EntryState::Running) => return Ok(()),
                };
                if !is_right {
                    return Err(format!("{end} at the end: {truth:?}"));
                }
                if details.is_some_and(|details| details.entry.due_at.is_some()) {
                    return Err("it is over, and has a due time".to_owned());
                }
                truth.at_end()
            });
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Whether all faults have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.now() >= self.weather.end
    }

    pub(crate) fn is_handler_out(&self) -> bool {
        is_within(self.weather.handler_outage, self.now())
    }

    pub(crate) fn draw<T>(&self, stream: Stream, draw: impl FnOnce(&mut Rng) -> T) -> T {
        let (kind, number) = match stream {
            Stream::Callback(number) => (1, number as u64),
            Stream::Sender(number) => (2, number as u64),
            Stream::Machine(number) => (3, number as u64),
            Stream::Process(number) => (4, u64::from(number)),
            Stream::Operator => (5, 0),
        };
        let seed = self.seed << 16 ^ kind << 8 ^ number;
        let mut rngs = self.rngs.lock().unwrap();
        draw(rngs.entry(stream).or_insert_with(|| Rng::with_seed(seed)))
    }

    pub(crate) async fn latency(&self, stream: Stream) {
        let latency = self.draw(stream, |rng| {
            if rng.bool() {
                Duration::ZERO
            } else {
                millis(rng, 1, 60)
            }
        });
        if !latency.is_zero() {
            sleep(latency).await;
        }
    }

    pub(crate) fn store_fault(&self, stream: Stream) -> Option<StoreFault> {
        if self.is_over() {
            None
        } else if is_within(self.weather.store_outage, self.now()) {
            Some(self.draw(stream, StoreFault::outage))
        } else {
            self.draw(stream, |rng| StoreFault::draw(rng, self.weather.store))
        }
    }

    /// Whether no request to the store can have failed.
    pub(crate) fn is_store_good(&self) -> bool {
        self.weather.store == 0.0 && self.weather.store_outage.is_none()
    }

    pub(crate) fn next_process(&self) -> u32 {
        let mut state = self.state();
        state.processes += 1;
        state.processes
    }

    /// Counts something, and writes it down if anybody wants to know.
    pub(crate) fn note(&self, what: impl Into<String>, details: impl FnOnce() -> String) {
        let now = self.now();
        let mut state = self.state();
        let what = what.into();
        if let Some(history) = &mut state.history {
            history.push(format!("{now:>9.3?} {what}: {}", details()));
        }
        state.totals.count(what);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Keeps the first broken promise. It cannot be a panic: the worker catches those of a handler.
    pub(crate) fn broken(&self, broken: impl Into<String>) {
        let broken = format!("{:?}: {}", self.now(), broken.into());
        let mut state = self.state();
        if let Some(history) = &mut state.history {
            history.push(format!("BROKEN {broken}"));
        }
        state.violation.get_or_insert(broken);
    }

    pub(crate) fn check(
        &self,
        callback: usize,
        check: impl FnOnce(&mut Truth, Duration) -> Result<(), String>,
    ) {
        let now = self.now();
        let result = check(&mut self.state().truths[callback], now);
        if let Err(broken) = result {
            self.broken(format!("callback {callback}: {broken}"));
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

fn is_within(outage: Option<(Duration, Duration)>, now: Duration) -> bool {
    outage.is_some_and(|(from, to)| (from..to).contains(&now))
}
