//! Processes that receive, die and come again.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use zego_record_core::{UnixSeconds, Verdict, Verified};
use zego_record_receiver::{Clock, HandlerError, Outcome, Receiver};
use zego_record_testkit::SignedRequest;
use zego_record_tests::receiver;

use crate::faults::{Behaviour, End};
use crate::line::Line;
use crate::truth::{HANDLER_TIMEOUT, IN_TRANSIT, Truth};
use crate::world::{BEGIN, TOLERANCE, World};

/// Where a process runs. Its clock survives the process.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) process: Mutex<Option<Arc<Process>>>,
    pub(crate) clock: MachineClock,
}

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) life: Arc<Life>,
    is_closing: AtomicBool,
    receiver: Receiver,
    clock: MachineClock,
}

/// A process that is dead runs on unseen: nothing that it does has an effect outside. That is what
/// a death looks like from outside, and the tasks of one receiver cannot be told from another's.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) number: u32,
    is_alive: watch::Sender<bool>,
    ended_at: OnceLock<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct MachineClock {
    begin: Instant,
    /// By how many seconds the time of day is wrong.
    pub(crate) offset: Arc<AtomicI64>,
}

/// What is known of one request at a process.
#[derive(Debug)]
pub(crate) struct Reception {
    pub(crate) callback: usize,
    pub(crate) behaviour: Behaviour,
    pub(crate) life: Arc<Life>,
    at: Duration,
    has_run: AtomicBool,
    /// By how many seconds the process's clock was ahead of the timestamp.
    age: OnceLock<i64>,
    is_answered: AtomicBool,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            process: Mutex::new(None),
            clock: MachineClock {
                begin: Instant::now(),
                offset: Arc::default(),
            },
        }
    }

    pub(crate) fn process(&self) -> Option<Arc<Process>> {
        self.process.lock().unwrap().clone()
    }

    pub(crate) fn stop(&self) {
        self.process.lock().unwrap().take();
    }

    pub(crate) fn start(&self, world: &Arc<World>) -> Arc<Process> {
        let life = Arc::new(Life {
            number: world.next_process(),
            is_alive: watch::Sender::new(true),
            ended_at: OnceLock::new(),
        });
        let line = Line {
            world: Arc::clone(world),
            life: Arc::clone(&life),
        };
        let receiver = receiver()
            .clock(self.clock.clone())
            .store(line)
            .build()
            .unwrap();
        let process = Arc::new(Process {
            life,
            is_closing: AtomicBool::new(false),
            receiver,
            clock: self.clock.clone(),
        });
        *self.process.lock().unwrap() = Some(Arc::clone(&process));
        process
    }
}

impl Process {
    /// Receives a request, as an adapter does.
    pub(crate) async fn receive(
        self: Arc<Self>,
        world: Arc<World>,
        request: SignedRequest,
        reception: Arc<Reception>,
    ) -> Verdict {
        let timestamp: i64 = request.timestamp().parse().unwrap();
        let age = self.clock.now().get() - timestamp;
        reception.age.set(age).unwrap();
        let pipeline = self.receiver.pipeline();
        let verdict = match pipeline.verify(request.body()).await {
            Err(rejection) => rejection.verdict(),
            Ok(Verified::Other(_)) => Verdict::Ignored,
            Ok(Verified::Record(callback)) => {
                let handler = {
                    let (world, reception) = (Arc::clone(&world), Arc::clone(&reception));
                    move |_| async { Outcome::from(handle(world, reception).await) }
                };
                pipeline.deliver(callback, handler).await.0
            }
        };
        self.life.while_alive(async {}).await;
        reception.is_answered.store(true, Ordering::Relaxed);
        let is_closing = self.is_closing.load(Ordering::Relaxed);
        world.answered(&reception, verdict, is_closing);
        verdict
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.receiver.counters().in_flight
    }

    /// Shuts down cleanly.
    pub(crate) async fn shut_down(&self, world: &World) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.receiver.shutdown().await;
        world.process_ended(self.life.number);
        let _ = self.life.ended_at.set(world.now());
        self.life.is_alive.send_replace(false);
    }
}

impl Life {
    pub(crate) fn is_alive(&self) -> bool {
        *self.is_alive.borrow()
    }

    pub(crate) fn end(&self, world: &World) {
        if self.is_alive.send_replace(false) {
            let _ = self.ended_at.set(world.now());
            world.process_died(self.number);
        }
    }

    /// Waits until it is dead.
    pub(crate) async fn ended(&self) {
        let mut is_alive = self.is_alive.subscribe();
        let _ = is_alive.wait_for(|is_alive| !is_alive).await;
    }

    /// Never comes back if the process is dead by then.
    pub(crate) async fn while_alive(&self, work: impl Future<Output = ()>) {
        work.await;
        if !self.is_alive() {
            std::future::pending::<()>().await;
        }
    }
}

impl Reception {
    pub(crate) fn new(
        callback: usize,
        behaviour: Behaviour,
        life: &Arc<Life>,
        at: Duration,
    ) -> Self {
        Self {
            callback,
            behaviour,
            life: Arc::clone(life),
            at,
            has_run: AtomicBool::new(false),
            age: OnceLock::new(),
            is_answered: AtomicBool::new(false),
        }
    }

    pub(crate) fn has_run(&self) -> bool {
        self.has_run.load(Ordering::Relaxed)
    }

    pub(crate) fn age(&self) -> i64 {
        self.age.get().copied().unwrap_or_default()
    }

    /// Whether nothing is known that has stood in its way. Where the answer was seen, it was right.
    pub(crate) fn was_possible(&self, truth: &Truth) -> bool {
        let is_answered = self.is_answered.load(Ordering::Relaxed);
        let is_unread = self.age.get().is_none();
        let died = self.life.ended_at.get();
        let has_died = died.is_some_and(|died| *died < self.at + HANDLER_TIMEOUT + IN_TRANSIT * 2);
        let is_hindered = if self.has_run() {
            !self.behaviour.succeeds()
        } else {
            truth.store_faults > 0 || truth.busy > 0 || self.age().abs() > TOLERANCE
        };
        !is_answered && !is_unread && !has_died && !is_hindered
    }
}

impl Clock for MachineClock {
    fn now(&self) -> UnixSeconds {
        let passed = i64::try_from(self.begin.elapsed().as_secs()).unwrap();
        UnixSeconds::new(BEGIN + passed + self.offset.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.begin.elapsed()
    }
}

async fn handle(world: Arc<World>, reception: Arc<Reception>) -> Result<(), HandlerError> {
    let mut run = Run::begin(world, reception);
    let Behaviour {
        before,
        has_effect,
        crashes,
        after,
        end,
    } = run.reception.behaviour;
    pause(before).await;
    run.while_alive().await;
    if has_effect {
        run.effect();
    }
    if crashes {
        run.reception.life.end(&run.world);
        run.while_alive().await;
    }
    pause(after).await;
    run.while_alive().await;
    match end {
        End::Succeeds => run.ends_well = true,
        End::Discards => {
            run.effect();
            run.ends_well = true;
            return Err(HandlerError::discard("as drawn"));
        }
        End::Fails => return Err(HandlerError::retry("as drawn")),
        // Without the panic hook, which would print thousands of them.
        End::Panics => std::panic::resume_unwind(Box::new("as drawn")),
        End::Hangs => std::future::pending().await,
    }
    Ok(())
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

/// One run of the handler, which ends when it is dropped.
struct Run {
    world: Arc<World>,
    reception: Arc<Reception>,
    has_effect: bool,
    ends_well: bool,
}

impl Run {
    fn begin(world: Arc<World>, reception: Arc<Reception>) -> Self {
        reception.has_run.store(true, Ordering::Relaxed);
        world.run_begins(&reception);
        Self {
            world,
            reception,
            has_effect: false,
            ends_well: false,
        }
    }

    fn effect(&mut self) {
        self.has_effect = true;
        self.world.effect(&self.reception);
    }

    async fn while_alive(&self) {
        self.reception.life.while_alive(async {}).await;
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.reception.life.is_alive() {
            self.world
                .run_ends(&self.reception, self.ends_well, self.has_effect);
        }
    }
}
