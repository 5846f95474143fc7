//! The example with an inbox keeps the same contract, and what it has answered with `1` whatever happens to
//! it.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::built;
use serde_json::Value;
use zego_record_testkit::RequestBuilder;
use zego_record_testkit::golden::cases;
use zego_record_tests::{SECRET, now, send};

const PATH: &str = "/zego/record";
const PATIENCE: Duration = Duration::from_secs(120);

/// A directory with a database, that is removed with it.
struct Place {
    directory: PathBuf,
    database: String,
}

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("zego-record-inbox-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        let database = directory.join("inbox.db").to_str().unwrap().to_owned();
        Self {
            directory,
            database,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The example as a process. It is killed with it.
struct Example {
    child: Child,
    address: SocketAddr,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Example {
    fn start(database: &str, listen: &str) -> Self {
        let mut child = Command::new(built("examples/inbox"))
            .env("ZEGO_CALLBACK_SECRET", SECRET)
            .env("ZEGO_LISTEN", listen)
            .env("ZEGO_RECORD_DATABASE", database)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        stderr.read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("listening on http://");
        let address = address
            .unwrap_or_else(|| panic!("{first}"))
            .parse()
            .unwrap();
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (stdout, all) = (
            BufReader::new(child.stdout.take().unwrap()),
            Arc::clone(&lines),
        );
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // A kill may cut the last line.
                if let Ok(line) = serde_json::from_str(&line) {
                    all.lock().unwrap().push(line);
                }
            }
        });
        Self {
            child,
            address,
            lines,
        }
    }

    fn printed(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_answered_with_1_is_printed_with_the_members_of_the_other_examples() {
    let place = Place::new("golden");
    let example = Example::start(&place.database, "127.0.0.1:0");
    let mut expected = 0;
    for case in cases() {
        for request in case.requests(SECRET, now(), 1) {
            let response = send(example.address, request.to_http_at(PATH)).await;
            let verdict = request.verdict();
            assert_eq!(
                response.status().as_u16(),
                verdict.status(),
                "{}",
                case.name()
            );
            if verdict == zego_record_core::Verdict::Handled {
                expected += 1;
            }
        }
    }
    wait_until("all are printed", || example.printed().len() >= expected).await;
    let printed = example.printed();
    assert_eq!(printed.len(), expected);
    let mut nonces = HashSet::new();
    for line in printed {
        let line = line.as_object().unwrap();
        assert_eq!((line.len(), &line["attempt"]), (16, &1.into()));
        nonces.insert(line["nonce"].to_string());
    }
    assert_eq!(nonces.len(), expected, "each once");
}

/// `ZEGO_INBOX_KILLS=200 cargo test -p zego-record-examples --test inbox` is the long form.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_with_1_is_printed_though_it_is_killed_again_and_again() {
    let kills = std::env::var("ZEGO_INBOX_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok());
    let kills = kills.unwrap_or(5);
    let place = Place::new("kills");
    let listen = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (answered, stop) = (
        Arc::new(Mutex::new(HashSet::new())),
        Arc::new(Mutex::new(false)),
    );
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
            tokio::spawn(async move {
                for number in 0.. {
                    let stream = format!("stream-{sender}-{number}");
                    let mut request = callback(&stream);
                    while status(listen, &request).await != Some(200) {
                        if *stop.lock().unwrap() {
                            return;
                        }
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        request = request.resigned(now());
                    }
                    answered.lock().unwrap().insert(stream);
                }
            })
        })
        .collect();
    let mut printed = Vec::new();
    for kill in 0..kills {
        let example = Example::start(&place.database, &listen.to_string());
        let before = answered.lock().unwrap().len();
        wait_until("it takes callbacks", || {
            answered.lock().unwrap().len() > before + 10 * kill
        })
        .await;
        let lines = Arc::clone(&example.lines);
        drop(example);
        printed.push(lines);
    }
    *stop.lock().unwrap() = true;
    for sender in senders {
        sender.await.unwrap();
    }
    // What a killed process held is due again when its lease has ended, after a minute.
    let last = Example::start(&place.database, &listen.to_string());
    printed.push(Arc::clone(&last.lines));
    let missing = || {
        let streams: HashSet<String> = printed
            .iter()
            .flat_map(|lines| lines.lock().unwrap().clone())
            .filter_map(|line| Some(line["stream_alias"].as_str()?.to_owned()))
            .collect();
        answered.lock().unwrap().difference(&streams).count()
    };
    wait_until("each 1 has its line", || missing() == 0).await;
    let count = answered.lock().unwrap().len();
    let _ = writeln!(
        std::io::stderr(),
        "{kills} kills, {count} callbacks answered with 1, none lost"
    );
}

fn callback(stream: &str) -> zego_record_testkit::SignedRequest {
    RequestBuilder::new(SECRET, now())
        .path(PATH)
        .field("stream_alias", stream)
        .field(
            "replay_url",
            format!("https://vod.example.com/{stream}.mp4"),
        )
        .build()
}

/// `None` if there was no answer.
async fn status(address: SocketAddr, request: &zego_record_testkit::SignedRequest) -> Option<u16> {
    let request = request.clone().into_http();
    let sent = tokio::spawn(async move { send(address, request).await.status().as_u16() });
    // Without a server it panics, which is no answer.
    sent.await.ok()
}
