//! A disk that loses power: what `strace` has seen a process write, and what a cut may leave of it.

use std::collections::{BTreeMap, HashMap};

use fastrand::Rng;

const SECTOR: usize = 512;

/// Something that the process did, in its order.
#[derive(Debug)]
pub(crate) enum Event {
    Wrote {
        path: String,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncated {
        path: String,
        length: usize,
    },
    Synced(String),
    Said(Vec<u8>),
}

/// The files of a disk: what was synced, and what was written since.
#[derive(Clone, Default)]
pub(crate) struct Disk(BTreeMap<String, File>);

#[derive(Clone, Default)]
struct File {
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Sector { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// What was done to the files below a directory, and what was said to the standard output. A call that
/// another thread has interrupted in the log counts where it has returned.
pub(crate) fn events(log: &str, directory: &str) -> Vec<Event> {
    let mut begun = HashMap::new();
    let mut events = Vec::new();
    for line in log.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let whole = if let Some(begin) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, begin.to_owned());
            continue;
        } else if let Some((_, rest)) = call.split_once(" resumed>") {
            begun.remove(thread).unwrap() + rest
        } else {
            call.to_owned()
        };
        events.extend(event(&whole, directory));
    }
    events
}

fn event(call: &str, directory: &str) -> Option<Event> {
    let (name, rest) = call.split_once('(')?;
    let (descriptor, rest) = rest.split_once('<')?;
    let (path, rest) = rest.split_once('>')?;
    let path = String::from_utf8(unescape(path)).unwrap();
    let (arguments, result) = rest.rsplit_once(") = ")?;
    assert!(!result.starts_with('-'), "{name} has failed: {result}");
    let mut arguments = arguments.trim_start_matches(", ").split(", ");
    if name == "write" && descriptor == "1" {
        return Some(Event::Said(unescape(arguments.next()?.trim_matches('"'))));
    }
    if !path.starts_with(directory) || path.ends_with("-shm") {
        return None;
    }
    match name {
        "pwrite64" => {
            let bytes = unescape(arguments.next()?.trim_matches('"'));
            let length: usize = arguments.next()?.parse().unwrap();
            assert_eq!(bytes.len(), length, "strace has cut a write");
            assert_eq!(result.trim().parse(), Ok(length), "a short write");
            let offset = arguments.next()?.parse().unwrap();
            Some(Event::Wrote {
                path,
                offset,
                bytes,
            })
        }
        "ftruncate" => {
            let length = arguments.next()?.parse().unwrap();
            Some(Event::Truncated { path, length })
        }
        "fsync" | "fdatasync" => Some(Event::Synced(path)),
        _ => panic!("{name} is not known: {call}"),
    }
}

/// `strace -xx` writes each byte as `\x2f`.
fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.split("\\x").skip(1);
    bytes
        .map(|hex| u8::from_str_radix(hex, 16).unwrap())
        .collect()
}

impl Disk {
    /// Adds a file that is on the disk as a whole.
    pub(crate) fn add(&mut self, path: String, synced: Vec<u8>) {
        let unsynced = Vec::new();
        self.0.insert(path, File { synced, unsynced });
    }

    pub(crate) fn happen(&mut self, event: &Event) {
        match event {
            Event::Wrote {
                path,
                offset,
                bytes,
            } => {
                let file = self.0.entry(path.clone()).or_default();
                // A write may begin within a sector.
                let mut offset = *offset;
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let length = (SECTOR - offset % SECTOR).min(rest.len());
                    let (sector, others) = rest.split_at(length);
                    let bytes = sector.to_vec();
                    file.unsynced.push(Change::Sector { offset, bytes });
                    (offset, rest) = (offset + length, others);
                }
            }
            Event::Truncated { path, length } => {
                let file = self.0.entry(path.clone()).or_default();
                file.unsynced.push(Change::Length(*length));
            }
            Event::Synced(path) => {
                let file = self.0.entry(path.clone()).or_default();
                for change in std::mem::take(&mut file.unsynced) {
                    change.apply(&mut file.synced);
                }
            }
            Event::Said(_) => {}
        }
    }

    /// What a power cut leaves: all that was synced, and of the rest each sector or not.
    pub(crate) fn cut(&self, random: &mut Rng) -> BTreeMap<String, Vec<u8>> {
        let files = self.0.iter();
        files
            .map(|(path, file)| {
                let share = [0.0, 0.1, 0.5, 0.9, 1.0][random.usize(..5)];
                let mut left = file.synced.clone();
                for change in &file.unsynced {
                    if random.f64() < share {
                        change.apply(&mut left);
                    }
                }
                (path.clone(), left)
            })
            .collect()
    }
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Length(length) => file.resize(*length, 0),
            Self::Sector { offset, bytes } => {
                let end = offset + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*offset..end].copy_from_slice(bytes);
            }
        }
    }
}
