//! The documented receivers in other languages take what is forwarded, and nothing else.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::app::FORWARD_SECRET;
use crate::process::{Place, wait_until};
use crate::zegocloud::{callback, post, send};

struct Receiver {
    child: Child,
    address: SocketAddr,
    lines: mpsc::Receiver<String>,
}

impl Receiver {
    /// `None` if `ZEGO_TEST_SKIP` names the language.
    fn start(language: &str, command: &[&str]) -> Option<Self> {
        let skip = std::env::var("ZEGO_TEST_SKIP").unwrap_or_default();
        if skip.split(',').any(|name| name.trim() == language) {
            eprintln!("skipped by ZEGO_TEST_SKIP: a test that needs {language}");
            return None;
        }
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/webhook");
        let arguments = command[1..]
            .iter()
            .map(|word| word.replace("ADDRESS", &address.to_string()));
        let mut child = Command::new(command[0])
            .args(arguments)
            .current_dir(folder)
            .env("PORT", address.port().to_string())
            .env(
                "ZEGO_RECORD_FORWARD_SECRET",
                format!("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,{FORWARD_SECRET}"),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}; ./test installs it, ZEGO_TEST_SKIP={language} skips it",
                    command[0]
                )
            });
        let (sender, lines) = mpsc::channel();
        for stream in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        let receiver = Self {
            child,
            address,
            lines,
        };
        wait_until("the receiver listens", || {
            TcpStream::connect(address).is_ok()
        });
        Some(receiver)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn takes_what_is_forwarded(language: &str, command: &[&str]) {
    let Some(receiver) = Receiver::start(language, command) else {
        return;
    };
    let place = Place::new();
    let url = format!("http://{}/", receiver.address);
    let serve = place.serve(&["--forward", &url, "--retry", "100ms,100ms,100ms"]);
    post(serve.address, &callback("lesson-7")).unwrap();
    loop {
        let line = receiver.lines.recv_timeout(Duration::from_secs(30));
        if line.expect("it prints the callback").contains("lesson-7") {
            break;
        }
    }
    wait_until("it is done", || place.inbox_json(&["stats"])["done"] == 1);
    // A forged one, and one of long ago.
    let body = b"{\"data\":{\"stream_alias\":\"forged\"}}";
    let now = crate::zegocloud::now().to_string();
    for (timestamp, signature) in [
        (
            now.as_str(),
            "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ),
        (now.as_str(), ""),
        (
            "1614265330",
            "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ),
        ("soon", ""),
    ] {
        let headers = [
            ("webhook-id", "x"),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
        ];
        let (status, _) = send(receiver.address, "POST", "/", &headers, body).unwrap();
        assert_eq!(status, 401, "{language} {timestamp} {signature}");
    }
}

#[test]
fn python() {
    takes_what_is_forwarded("python", &["python3", "receiver.py"]);
}

#[test]
fn node() {
    takes_what_is_forwarded("node", &["node", "receiver.js"]);
}

#[test]
fn php() {
    takes_what_is_forwarded("php", &["php", "-S", "ADDRESS", "receiver.php"]);
}

#[test]
fn go() {
    takes_what_is_forwarded("go", &["go", "run", "receiver.go"]);
}
