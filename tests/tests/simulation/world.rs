//! What one seed leads to.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};
use zego_record_core::Verdict;
use zego_record_receiver::{Claim, ClaimOutcome, DeliveryStore, MemoryStore, Settled, Settlement};

use crate::database::Database;
use crate::faults::{End, StoreFault, Weather, happens, millis};
use crate::process::{Life, Machine, Process, Reception};
use crate::totals::Totals;
use crate::truth::{HANDLER_TIMEOUT, Truth};
use crate::zegocloud::{self, Sent};

/// The time of day at which every simulation begins.
pub(crate) const BEGIN: i64 = 1_760_001_900;
pub(crate) const TOLERANCE: i64 = 300;
/// Until all attempts are made and all background work has come to its end.
const LENGTH: Duration = Duration::from_secs(500);

pub(crate) struct World {
    pub(crate) weather: Weather,
    pub(crate) store: Box<dyn DeliveryStore>,
    pub(crate) machines: Vec<Machine>,
    begin: Instant,
    rng: Mutex<Rng>,
    state: Mutex<State>,
}

/// Where all processes remember deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    InMemory,
    InSqlite,
}

struct State {
    truths: Vec<Truth>,
    processes: u32,
    totals: Totals,
    violation: Option<String>,
    /// What has happened, if it is recorded.
    history: Option<Vec<String>>,
}

/// Runs one seed; with the first promise that was broken, and the history before it if wanted.
pub(crate) fn simulate(
    seed: u64,
    remembered: Remembered,
    with_history: bool,
) -> (Result<(), String>, Totals) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut rng = Rng::with_seed(seed);
        let callbacks = rng.usize(1..=3);
        let world = Arc::new(World {
            weather: Weather::draw(&mut rng),
            store: match remembered {
                Remembered::InMemory => Box::new(MemoryStore::new()),
                Remembered::InSqlite => Box::new(Database::new(seed)),
            },
            machines: (0..rng.usize(1..=2)).map(|_| Machine::new()).collect(),
            begin: Instant::now(),
            rng: Mutex::new(rng),
            state: Mutex::new(State {
                truths: (0..callbacks).map(|_| Truth::default()).collect(),
                processes: 0,
                totals: Totals::default(),
                violation: None,
                history: with_history.then(Vec::new),
            }),
        });
        world.run(callbacks).await;
        // They hold the world, which holds them.
        world.machines.iter().for_each(Machine::stop);
        let mut state = world.state();
        if let Some(history) = &state.history {
            println!("{:?}\n{}", world.weather, history.join("\n"));
        }
        let result = state.violation.take().map_or(Ok(()), Err);
        (result, std::mem::take(&mut state.totals))
    })
}

impl World {
    async fn run(self: &Arc<Self>, callbacks: usize) {
        for number in 0..self.machines.len() {
            tokio::spawn(Arc::clone(self).disturb(number));
        }
        // All processes are up before the first callback comes.
        tokio::task::yield_now().await;
        let senders: Vec<_> = (0..callbacks)
            .map(|callback| tokio::spawn(zegocloud::send(Arc::clone(self), callback)))
            .collect();
        let mut all = Vec::new();
        for sender in senders {
            all.push(sender.await.unwrap());
        }
        sleep(LENGTH.saturating_sub(self.now())).await;
        all.iter().for_each(|sent| self.judge(sent));
        for process in self.machines.iter().filter_map(Machine::process) {
            if process.life.is_alive() && process.in_flight() > 0 {
                self.check(0, |_| {
                    Err(format!("{} in flight at the end", process.in_flight()))
                });
            }
        }
    }

    /// Ends processes and starts them again, and sets clocks, while callbacks are sent.
    async fn disturb(self: Arc<Self>, number: usize) {
        let machine = &self.machines[number];
        loop {
            let process = machine.start(&self);
            self.note("process: started", || {
                format!("{} on machine {number}", process.life.number)
            });
            while process.life.is_alive() {
                let pause = self.draw(|rng| millis(rng, 500, 40_000));
                tokio::select! {
                    biased;
                    () = process.life.ended() => {}
                    () = sleep(pause) => self.disturb_once(machine, &process).await,
                }
            }
            let down = self.draw(|rng| {
                if rng.bool() {
                    Duration::ZERO
                } else {
                    millis(rng, 1, 20_000)
                }
            });
            sleep(down).await;
        }
    }

    async fn disturb_once(&self, machine: &Machine, process: &Process) {
        let (ends, crashes, sets) = self.draw(|rng| {
            let ends = happens(rng, self.weather.process);
            (ends, rng.bool(), happens(rng, self.weather.clock))
        });
        if sets {
            let offset = self.draw(|rng| [0, 0, -290, 290, -2_000, 2_000][rng.usize(..6)]);
            machine.clock.offset.store(offset, Ordering::Relaxed);
            self.note("clock: set", || {
                format!("process {} is {offset} s off", process.life.number)
            });
        }
        if ends && crashes {
            process.life.end(self);
        } else if ends {
            process.shut_down(self).await;
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap())
    }

    pub(crate) async fn latency(&self) {
        let latency = self.draw(|rng| {
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

    pub(crate) fn store_fault(&self) -> Option<StoreFault> {
        let now = self.now();
        let is_out = |(from, to): (Duration, Duration)| (from..to).contains(&now);
        if self.weather.outage.is_some_and(is_out) {
            return self.draw(|rng| {
                Some(if rng.bool() {
                    StoreFault::Unavailable
                } else {
                    StoreFault::Hangs
                })
            });
        }
        self.draw(|rng| StoreFault::draw(rng, self.weather.store))
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Keeps the first broken promise. It cannot be a panic: the receiver catches those of a handler.
    pub(crate) fn check(
        &self,
        callback: usize,
        check: impl FnOnce(&mut Truth) -> Result<(), String>,
    ) {
        let now = self.now();
        let mut state = self.state();
        if let Err(broken) = check(&mut state.truths[callback]) {
            let broken = format!("{now:?}: callback {callback}: {broken}");
            if let Some(history) = &mut state.history {
                history.push(format!("BROKEN {broken}"));
            }
            state.violation.get_or_insert(broken);
        }
    }
}

/// What happens to the truth.
impl World {
    pub(crate) fn run_begins(&self, reception: &Reception) {
        let (callback, process) = (reception.callback, reception.life.number);
        self.note("run: begins", || {
            format!(
                "callback {callback} in process {process}: {:?}",
                reception.behaviour
            )
        });
        let mut comes_again = false;
        self.check(callback, |truth| {
            comes_again = truth.run_begins(process, self.now())?;
            Ok(())
        });
        if comes_again {
            self.note("run: again after its effect, with an excuse", String::new);
        }
    }

    pub(crate) fn effect(&self, reception: &Reception) {
        self.note("run: effect", || format!("callback {}", reception.callback));
        self.check(reception.callback, |truth| {
            truth.effect();
            Ok(())
        });
    }

    pub(crate) fn run_ends(&self, reception: &Reception, ends_well: bool, has_effect: bool) {
        self.note("run: ends", || {
            format!("callback {}, well: {ends_well}", reception.callback)
        });
        self.check(reception.callback, |truth| {
            truth.run_ends(self.now(), ends_well, has_effect)
        });
    }

    pub(crate) fn claimed(
        &self,
        life: &Life,
        claim: &Claim,
        outcome: ClaimOutcome,
        is_faulty: bool,
    ) {
        let callback = callback_of(claim);
        self.note("store: claimed", || {
            format!(
                "callback {callback} by process {}: {outcome:?}",
                life.number
            )
        });
        let is_faulty = is_faulty || !life.is_alive();
        self.check(callback, |truth| {
            truth.claimed(claim.owner, life.number, outcome, is_faulty, self.now())
        });
    }

    pub(crate) fn settled(&self, life: &Life, claim: &Claim, by: Settlement, settled: Settled) {
        let callback = callback_of(claim);
        self.note("store: settled", || {
            format!(
                "callback {callback} by process {}: {by:?} {settled:?}",
                life.number
            )
        });
        self.check(callback, |truth| {
            truth.settled(claim.owner, by, settled, self.now())
        });
    }

    pub(crate) fn store_has_fault(&self, claim: &Claim, by: Option<Settlement>, fault: StoreFault) {
        let callback = callback_of(claim);
        self.note(format!("store: {}", name(&fault)), || {
            format!("callback {callback}: {by:?}: {fault:?}")
        });
        self.check(callback, |truth| {
            truth.store_fault(claim.owner, by);
            Ok(())
        });
    }

    pub(crate) fn process_died(&self, process: u32) {
        self.note("process: crashed", || format!("process {process}"));
        let now = self.now();
        for truth in &mut self.state().truths {
            truth.process_died(process, now);
        }
    }

    pub(crate) fn process_ended(&self, process: u32) {
        self.note("process: restarted in good order", || {
            format!("process {process}")
        });
        let callbacks = self.state().truths.len();
        for callback in 0..callbacks {
            self.check(callback, |truth| {
                if truth.is_live_in(process) {
                    return Err("a handler runs after the shutdown".to_owned());
                }
                truth.process_ended(process);
                Ok(())
            });
        }
    }

    /// Whether an answer is right, given what has happened.
    pub(crate) fn answered(&self, reception: &Reception, verdict: Verdict, is_closing: bool) {
        let callback = reception.callback;
        self.note(format!("answer: {}", verdict.code()), || {
            format!("callback {callback}")
        });
        let (has_run, behaviour) = (reception.has_run(), reception.behaviour);
        let is_too_long = behaviour.before + behaviour.after >= HANDLER_TIMEOUT;
        self.check(callback, |truth| {
            let is_right = match verdict {
                Verdict::Handled => has_run && behaviour.end == End::Succeeds && truth.effects > 0,
                Verdict::Discarded => {
                    has_run && behaviour.end == End::Discards && truth.effects > 0
                }
                Verdict::Duplicate => !has_run && truth.effects > 0,
                Verdict::Stale => reception.age() > TOLERANCE,
                Verdict::Future => reception.age() < -TOLERANCE,
                Verdict::InProgress => !has_run && take_one(&mut truth.busy),
                Verdict::StoreUnavailable => !has_run && take_one(&mut truth.store_faults),
                Verdict::HandlerFailed => {
                    has_run && matches!(behaviour.end, End::Fails | End::Panics)
                }
                Verdict::HandlerTimeout => {
                    has_run && (behaviour.end == End::Hangs || is_too_long || is_closing)
                }
                Verdict::Busy => !has_run && is_closing,
                _ => false,
            };
            is_right
                .then_some(())
                .ok_or_else(|| format!("{verdict} for no reason: {reception:?}, {truth:?}"))
        });
    }

    /// All attempts were made.
    fn judge(&self, sent: &Sent) {
        let callback = sent.callback;
        let effects = self.state().truths[callback].effects;
        let end = match (sent.acknowledged, sent.attempts, effects) {
            (true, 1, _) => "acknowledged at the first attempt",
            (true, 6, _) => "acknowledged at the sixth attempt",
            (true, ..) => "acknowledged between the first attempt and the sixth",
            (false, _, 0) => "lost",
            (false, ..) => "done, and ZEGOCLOUD does not know",
        };
        self.note(format!("callback: {end}"), || callback.to_string());
        self.check(callback, |truth| match (sent.acknowledged, truth.effects) {
            (true, 0) => Err("acknowledged without an effect".to_owned()),
            (false, _) if sent.attempts < 6 => Err("given up too early".to_owned()),
            (false, 0) => {
                let receptions = sent.receptions.lock().unwrap();
                match receptions
                    .iter()
                    .find(|reception| reception.was_possible(truth))
                {
                    Some(possible) => Err(format!("lost in spite of {possible:?}: {truth:?}")),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        });
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

fn callback_of(claim: &Claim) -> usize {
    let number = claim.event_id.rsplit_once("/c").unwrap().1;
    number.trim_end_matches(".mp4").parse().unwrap()
}

pub(crate) fn name(fault: &impl fmt::Debug) -> String {
    let text = format!("{fault:?}");
    text.split('(').next().unwrap().to_owned()
}

fn take_one(from: &mut u32) -> bool {
    let is_there = *from > 0;
    *from = from.saturating_sub(1);
    is_there
}
