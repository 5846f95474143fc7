//! A Redis server.

use std::fs;
use std::io::{self, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Certificates, Relay, process};

const PASSWORD: &str = "only-for-tests";
const START: Duration = Duration::from_secs(60);
const SLOTS: usize = 16_384;

/// A server of its own, with an append-only file unless its options say otherwise.
#[derive(Debug)]
pub struct Redis {
    directory: PathBuf,
    port: u16,
    options: Vec<String>,
    server: Mutex<Option<Child>>,
}

impl Redis {
    /// The server that the tests of one binary share, or `None` if it is skipped explicitly.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Redis>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[])).as_ref()
    }

    /// A server with these options, such as `appendonly=no`, or `None` if it is skipped explicitly.
    pub fn start(options: &[&str]) -> Option<Self> {
        if crate::is_skipped("redis") {
            return None;
        }
        let redis = Self {
            directory: process::new_directory("redis"),
            port: crate::free_port(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            server: Mutex::new(None),
        };
        redis.resume();
        Some(redis)
    }

    /// A server that speaks TLS besides, and where it does, or `None` if it is skipped explicitly.
    pub fn with_tls(certificates: &Certificates) -> Option<(Self, u16)> {
        let directory = process::new_directory("certificates");
        let file = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let port = crate::free_port();
        let options = [
            format!("tls-port={port}"),
            "tls-auth-clients=no".into(),
            format!(
                "tls-cert-file={}",
                file("certificate", &certificates.certificate)
            ),
            format!("tls-key-file={}", file("key", &certificates.key)),
            format!(
                "tls-ca-cert-file={}",
                file("authority", &certificates.authority)
            ),
        ];
        let server = Self::start(&options.each_ref().map(String::as_str));
        // It has read them.
        fs::remove_dir_all(directory).unwrap();
        server.map(|server| (server, port))
    }

    /// A replica of this server that has caught up.
    pub fn replica(&self) -> Self {
        let primary = format!("replicaof=127.0.0.1 {}", self.port);
        let authentication = format!("masterauth={PASSWORD}");
        let replica = Self::start(&[&primary, &authentication, "repl-diskless-sync-delay=0"]);
        let replica = replica.unwrap();
        replica.wait_for(&["INFO", "replication"], "master_link_status:up");
        replica
    }

    /// A cluster of so many primaries, or `None` if it is skipped explicitly.
    pub fn cluster(size: usize) -> Option<Vec<Self>> {
        let mut nodes = Vec::new();
        for _ in 0..size {
            let bus = format!("cluster-port={}", crate::free_port());
            let address = "cluster-announce-ip=127.0.0.1";
            nodes.push(Self::start(&["cluster-enabled=yes", address, &bus])?);
        }
        for (number, node) in nodes.iter().enumerate() {
            let first = (SLOTS * number / size).to_string();
            let last = (SLOTS * (number + 1) / size - 1).to_string();
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            let port = nodes[0].port.to_string();
            let bus = nodes[0].option("cluster-port");
            node.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        for node in &nodes {
            node.wait_for(&["CLUSTER", "INFO"], &format!("cluster_size:{size}"));
            node.wait_for(&["CLUSTER", "INFO"], "cluster_state:ok");
        }
        Some(nodes)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url_with_login("", PASSWORD)
    }

    /// Its URL with another login.
    pub fn url_with_login(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// A relay before it, and its URL by way of the relay.
    pub fn behind_relay(&self) -> (Relay, String) {
        let relay = Relay::start(self.port);
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", relay.port());
        (relay, url)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A prefix of keys that no other test uses.
    pub fn new_prefix(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Runs a command and returns its answer, if that is a text or a number.
    ///
    /// # Panics
    ///
    /// If the server rejects it.
    pub fn command(&self, words: &[&str]) -> String {
        let answer = self.ask(words).unwrap();
        assert!(!answer.starts_with('-'), "{words:?}: {answer}");
        answer
    }

    /// Kills it, as a crash does.
    pub fn kill(&self) {
        if let Some(mut server) = self.server.lock().unwrap().take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Starts it again after a kill.
    pub fn resume(&self) {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "redis-server"])
            .args(["--port", &self.port.to_string()])
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(["--requirepass", PASSWORD])
            .args(["--dir", &self.directory.to_string_lossy()]);
        let options = ["appendonly=yes"].into_iter();
        for option in options.chain(self.options.iter().map(String::as_str)) {
            let (name, value) = option.split_once('=').unwrap();
            command.arg(format!("--{name}")).args(value.split(' '));
        }
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        command.stdout(log).stderr(Stdio::null());
        let is_there = Command::new("redis-server").arg("--version").output();
        assert!(
            is_there.is_ok(),
            "this test needs Redis (redis-server was not found): run ./test, or set ZEGO_TEST_SKIP=redis"
        );
        *self.server.lock().unwrap() = Some(process::spawn(command));
        self.wait_for(&["PING"], "PONG");
    }

    fn wait_for(&self, words: &[&str], part: &str) {
        let begin = Instant::now();
        while !self.ask(words).is_ok_and(|answer| answer.contains(part)) {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            assert!(
                begin.elapsed() < START,
                "Redis did not get ready ({part}): {log}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn ask(&self, words: &[&str]) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(START))?;
        for words in [&["AUTH", PASSWORD], words] {
            let mut request = format!("*{}\r\n", words.len());
            for word in words {
                request += &format!("${}\r\n{word}\r\n", word.len());
            }
            stream.write_all(request.as_bytes())?;
        }
        let mut answers = BufReader::new(stream);
        read_answer(&mut answers)?;
        read_answer(&mut answers)
    }

    fn option(&self, name: &str) -> String {
        let mut options = self
            .options
            .iter()
            .filter_map(|option| option.split_once('='));
        options.find(|option| option.0 == name).unwrap().1.into()
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn read_answer(answers: &mut impl io::BufRead) -> io::Result<String> {
    let mut line = String::new();
    answers.read_line(&mut line)?;
    let line = line.trim_end();
    let Some(length) = line.strip_prefix('$') else {
        return Ok(line.into());
    };
    let Ok(length) = length.parse::<usize>() else {
        return Ok(String::new());
    };
    let mut text = vec![0; length + 2];
    answers.read_exact(&mut text)?;
    Ok(String::from_utf8_lossy(&text).trim_end().into())
}
