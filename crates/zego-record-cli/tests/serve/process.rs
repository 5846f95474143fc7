//! `serve` as a process, in a directory of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::app::FORWARD_SECRET;
use crate::zegocloud::SECRET;

const PATIENCE: Duration = Duration::from_secs(60);

/// A directory that is removed with it.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("zego-record-serve-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The binary in this directory, with secrets in its environment and nothing else of ours.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zego-record"));
        command
            .args(args)
            .current_dir(&self.0)
            .env("ZEGO_CALLBACK_SECRET", SECRET)
            .env("ZEGO_RECORD_FORWARD_SECRET", FORWARD_SECRET)
            .env_remove("ZEGO_RECORD_DATABASE")
            .env_remove("ZEGO_RECORD_FORWARD")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs `inbox ..` and returns what it printed, if it succeeded.
    pub(crate) fn inbox(&self, args: &[&str]) -> String {
        let output = self.run(&[&["inbox"], args].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn inbox_json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.inbox(&[&["--json"], args].concat())).unwrap()
    }

    pub(crate) fn serve(&self, args: &[&str]) -> Serve {
        Serve::start(self.command(&[]), args)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process that serves; it is killed if a test ends before it.
pub(crate) struct Serve {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Serve {
    pub(crate) fn start(mut command: Command, args: &[&str]) -> Self {
        command.args(["serve", "--admin", "127.0.0.1:0"]);
        if !args.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let mut child = command.args(args).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, addresses) = mpsc::channel();
        let (stderr, all) = (child.stderr.take().unwrap(), Arc::clone(&lines));
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line.clone());
                all.lock().unwrap().push(line);
            }
        });
        let find = |beginning: &str| loop {
            let line = addresses.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{beginning}: {:?}", lines.lock().unwrap()));
            if let Some(rest) = line.strip_prefix(beginning) {
                let rest = rest
                    .trim_start_matches("https://")
                    .trim_start_matches("http://");
                break rest.split('/').next().unwrap().parse().unwrap();
            }
        };
        Self {
            address: find("listening on "),
            admin: find("operator page on "),
            child,
            lines,
        }
    }

    pub(crate) fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(killed.success());
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the status it ends with.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("-TERM");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::yield_now();
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again until it is true.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
