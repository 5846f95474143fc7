//! Who starts the processes, kills one of them again and again, and writes down whom.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use fastrand::Rng;
use tokio::sync::watch;
use zego_record_tests::Place;

use crate::plan::{Plan, Trigger};
use crate::process::{EFFECTS, Effects, JOURNAL, PLACE, write_line};
use crate::proxy::Ports;
use crate::truth::Truth;

const PROCESSES: usize = 2;

/// What the killer waits for.
pub(crate) enum Event {
    /// A callback with this number is on its way.
    Sent(usize),
    /// The handler of a callback stands between its effect and its settlement.
    Paused { process: u32, number: usize },
    /// All callbacks were sent.
    End,
}

pub(crate) struct Killer {
    ports: Ports,
    events: Sender<Event>,
    killed: watch::Receiver<usize>,
    thread: JoinHandle<()>,
}

struct Processes {
    place: String,
    effects: Effects,
    journal: PathBuf,
    ports: Ports,
    events: Sender<Event>,
    children: Vec<Child>,
}

impl Killer {
    /// Starts the processes, and a thread that kills one of them again and again.
    pub(crate) fn start(
        place: &Place,
        effects: Effects,
        truth: &Truth,
        plan: Plan,
        seed: u64,
    ) -> Self {
        let (events, received) = mpsc::channel();
        let mut processes = Processes {
            place: place.to_text(),
            effects,
            journal: truth.journal().to_owned(),
            ports: Arc::new(Mutex::new(vec![0; PROCESSES])),
            events: events.clone(),
            children: Vec::new(),
        };
        for number in 0..PROCESSES {
            let child = processes.start(number);
            processes.children.push(child);
        }
        let ports = Arc::clone(&processes.ports);
        let (killing, killed) = watch::channel(0);
        let thread = thread::spawn(move || {
            kill(&mut processes, &received, &killing, plan, seed);
            for child in &mut processes.children {
                child.kill().unwrap();
                child.wait().unwrap();
            }
        });
        Self {
            ports,
            events,
            killed,
            thread,
        }
    }

    pub(crate) fn ports(&self) -> Ports {
        Arc::clone(&self.ports)
    }

    pub(crate) fn events(&self) -> Sender<Event> {
        self.events.clone()
    }

    /// How many were killed, and have been replaced.
    pub(crate) fn killed(&self) -> watch::Receiver<usize> {
        self.killed.clone()
    }

    /// Ends all processes.
    pub(crate) fn stop(self) {
        self.events.send(Event::End).unwrap();
        self.thread.join().unwrap();
    }
}

fn kill(
    processes: &mut Processes,
    events: &Receiver<Event>,
    killed: &watch::Sender<usize>,
    plan: Plan,
    seed: u64,
) {
    let mut random = Rng::with_seed(seed);
    for event in events {
        let trigger = plan.trigger(*killed.borrow());
        let victim = match event {
            Event::End => return,
            Event::Sent(number) if trigger == Some((number, Trigger::Sent)) => {
                Some(random.usize(..PROCESSES))
            }
            Event::Paused { process, number } if trigger == Some((number, Trigger::Paused)) => {
                let mut children = processes.children.iter();
                children.position(|child| child.id() == process)
            }
            Event::Sent(_) | Event::Paused { .. } => None,
        };
        if let Some(victim) = victim {
            processes.kill(victim);
            killed.send_modify(|killed| *killed += 1);
        }
    }
}

impl Processes {
    fn start(&self, number: usize) -> Child {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "receiving_process", "--nocapture"])
            .env(PLACE, &self.place)
            .env(JOURNAL, &self.journal)
            .env(EFFECTS, self.effects.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (id, out) = (child.id(), child.stdout.take().unwrap());
        let (events, (listens, port)) = (self.events.clone(), mpsc::channel());
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(port) = line.strip_prefix("listening ") {
                    listens.send(port.parse::<u16>().unwrap()).unwrap();
                } else if let Some(number) = line.strip_prefix("paused ") {
                    let (process, number) = (id, number.parse().unwrap());
                    // All callbacks may have been sent.
                    let _ = events.send(Event::Paused { process, number });
                }
            }
        });
        self.ports.lock().unwrap()[number] = port.recv().unwrap();
        child
    }

    fn kill(&mut self, number: usize) {
        let child = &mut self.children[number];
        child.kill().unwrap();
        child.wait().unwrap();
        // After its end, so that whatever follows this line was done by another process.
        write_line(Path::new(&self.journal), &format!("killed {}", child.id()));
        self.children[number] = self.start(number);
    }
}
