//! What all servers need: a process that ends with ours, and a directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;

/// Spawns from a thread that lives as long as the process: the server gets its signal when the thread
/// that has started it ends, and a test's thread ends too early.
pub(crate) fn spawn(command: Command) -> Child {
    type Request = (Command, mpsc::Sender<Child>);
    static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        thread::spawn(move || {
            for (mut command, reply) in requests {
                reply.send(command.spawn().unwrap()).unwrap();
            }
        });
        sender
    });
    let (reply, child) = mpsc::channel();
    spawner.send((command, reply)).unwrap();
    child.recv().unwrap()
}

/// A directory named after the server and this process. Those of processes that are gone are removed.
pub(crate) fn new_directory(server: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("zego-record-{server}-");
    let parent = std::env::temp_dir();
    for entry in fs::read_dir(&parent).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name
            .strip_prefix(&prefix)
            .and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let directory = parent.join(format!("{prefix}{}-{number}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    directory
}
