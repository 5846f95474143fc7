//! Who starts the processes, kills one of them again and again, and writes down whom.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use fastrand::Rng;
use zego_record_tests::Place;

use crate::process::{EFFECTS, Effects, JOURNAL, PLACE, write_line};
use crate::proxy::Ports;
use crate::truth::Truth;

const PROCESSES: usize = 2;

/// What the killer waits for.
pub(crate) enum Event {
    /// A callback was answered with success.
    Acknowledged,
    /// A handler in the process with this id stands between its effect and its settlement.
    Paused(u32),
    /// All callbacks were sent.
    End,
}

pub(crate) struct Killer {
    ports: Ports,
    events: Sender<Event>,
    thread: JoinHandle<usize>,
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
    /// Starts the processes, and a thread that kills one of them `kills` times while `callbacks` are sent.
    pub(crate) fn start(
        place: &Place,
        effects: Effects,
        truth: &Truth,
        callbacks: usize,
        kills: usize,
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
        let every = callbacks / (kills + 1);
        let thread = thread::spawn(move || {
            let killed = kill(&mut processes, &received, every, kills, seed);
            for child in &mut processes.children {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            killed
        });
        Self {
            ports,
            events,
            thread,
        }
    }

    pub(crate) fn ports(&self) -> Ports {
        Arc::clone(&self.ports)
    }

    pub(crate) fn events(&self) -> Sender<Event> {
        self.events.clone()
    }

    /// Ends all processes; how many were killed before.
    pub(crate) fn stop(self) -> usize {
        self.events.send(Event::End).unwrap();
        self.thread.join().unwrap()
    }
}

/// Every second kill comes at random, the others when a handler has had its effect and has not ended.
fn kill(
    processes: &mut Processes,
    events: &Receiver<Event>,
    every: usize,
    kills: usize,
    seed: u64,
) -> usize {
    let mut random = Rng::with_seed(seed);
    let (mut acknowledged, mut killed) = (0, 0);
    for event in events {
        let is_due = killed < kills && acknowledged >= every * (killed + 1);
        let is_random = killed % 2 == 1;
        match event {
            Event::End => break,
            Event::Acknowledged => {
                acknowledged += 1;
                if is_due && is_random {
                    processes.kill(random.usize(..PROCESSES));
                    killed += 1;
                }
            }
            Event::Paused(id) => {
                let found = processes.children.iter().position(|child| child.id() == id);
                if let (true, false, Some(number)) = (is_due, is_random, found) {
                    processes.kill(number);
                    killed += 1;
                }
            }
        }
    }
    killed
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
                } else if line == "paused" {
                    // All callbacks may have been sent.
                    let _ = events.send(Event::Paused(id));
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
