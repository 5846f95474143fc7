//! Processes that receive and work, die and come again.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use zego_record_inbox::{Arrivals, Delivery, Schedule, Worker};
use zego_record_receiver::InboxReceiver;
use zego_record_tests::receiver;

use crate::faults::{Reaction, happens, millis};
use crate::handler;
use crate::line::Line;
use crate::world::{Stream, World};

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) life: Arc<Life>,
    pub(crate) is_closing: AtomicBool,
    pub(crate) receiver: InboxReceiver,
    worker: Worker,
}

#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) number: u32,
    is_alive: AtomicBool,
    end: Notify,
    /// Notified of what this process accepts, if its worker is to learn of it at once.
    pub(crate) arrivals: Arrivals,
}

/// The process that runs on a machine, if one does.
#[derive(Default)]
pub(crate) struct Machine(Mutex<Option<Arc<Process>>>);

impl Machine {
    pub(crate) fn process(&self) -> Option<Arc<Process>> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn stop(&self) {
        self.0.lock().unwrap().take();
    }

    /// Ends processes and starts them again until all faults have ended; the last one works on.
    pub(crate) async fn run(world: Arc<World>, number: usize) {
        let machine = &world.machines[number];
        loop {
            let process = Process::start(&world);
            *machine.0.lock().unwrap() = Some(Arc::clone(&process));
            world.note("process: started", || {
                format!("{} on machine {number}", process.life.number)
            });
            let work = {
                let worker = process.worker.clone();
                tokio::spawn(async move { worker.run().await })
            };
            let crashes = loop {
                let longest = if world.weather.settings.lease.as_secs() == 60 {
                    3_600_000
                } else {
                    60_000
                };
                sleep(world.draw(Stream::Machine(number), |rng| millis(rng, 500, longest))).await;
                let ends = world.draw(Stream::Machine(number), |rng| {
                    happens(rng, world.weather.process).then(|| rng.bool())
                });
                if world.is_over() {
                    return std::future::pending().await;
                }
                if let Some(crashes) = ends {
                    break crashes;
                }
            };
            if !crashes {
                process.is_closing.store(true, Ordering::Relaxed);
                tokio::join!(process.receiver.shutdown(), process.worker.shutdown());
            }
            process.life.end();
            machine.0.lock().unwrap().take();
            if crashes {
                world.process_died(process.life.number);
                work.abort();
                let _ = work.await;
            } else {
                // Its handlers and all that they hold are gone before anybody looks.
                work.abort();
                let _ = work.await;
                world.process_ended(process.life.number);
            }
            let down = world.draw(Stream::Machine(number), |rng| {
                [0, 100, 5_000, 30_000][rng.usize(..4)]
            });
            sleep(Duration::from_millis(down)).await;
        }
    }
}

impl Process {
    fn start(world: &Arc<World>) -> Arc<Self> {
        let life = Arc::new(Life {
            number: world.next_process(),
            is_alive: AtomicBool::new(true),
            end: Notify::new(),
            arrivals: Arrivals::new(),
        });
        let line = || Line {
            world: Arc::clone(world),
            life: Arc::clone(&life),
        };
        let settings = world.weather.settings.clone();
        let allowed = {
            let world = Arc::clone(world);
            move || match world.weather.reaction {
                Reaction::ClaimsNothing if world.is_handler_out() => 0,
                _ => usize::MAX,
            }
        };
        let handle = {
            let (world, process) = (Arc::clone(world), life.number);
            move |delivery: Delivery| handler::handle(Arc::clone(&world), process, delivery)
        };
        Arc::new(Self {
            is_closing: AtomicBool::new(false),
            receiver: receiver()
                .clock(world.clock.clone())
                .build_with_inbox(line())
                .unwrap(),
            worker: Worker::builder(line())
                .schedule(Schedule::new(settings.delays).unwrap())
                .concurrency(settings.concurrency)
                .handler_timeout(settings.handler_timeout)
                .lease(settings.lease)
                .poll_interval(settings.poll_interval)
                .shutdown_timeout(settings.shutdown_timeout)
                .claim_limit(allowed)
                .build(handle)
                .unwrap(),
            life,
        })
    }
}

impl Life {
    fn end(&self) {
        self.is_alive.store(false, Ordering::Relaxed);
        self.end.notify_waiters();
    }

    /// Waits until it is dead.
    pub(crate) async fn ended(&self) {
        let end = self.end.notified();
        if self.is_alive.load(Ordering::Relaxed) {
            end.await;
        }
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Machine")
    }
}
