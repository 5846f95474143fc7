//! Runs the binary, and a receiver on loopback that behaves as a test wants.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it"
)]

pub(crate) mod listening;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The binary with the secret in its environment and nothing else of ours.
pub(crate) fn zego_record(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zego-record"));
    command
        .args(args)
        .env("ZEGO_CALLBACK_SECRET", SECRET)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What a finished process has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            status: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

pub(crate) fn run(args: &[&str]) -> Said {
    zego_record(args).output().unwrap().into()
}

pub(crate) fn run_with_input(mut command: Command, input: &[u8]) -> Said {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

/// What a receiver was sent.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) content_type: String,
    pub(crate) chunked: bool,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// How a receiver behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Answer(u16, &'static str),
    Hang,
}

/// A receiver on a loopback port of its own, until the test ends.
pub(crate) struct Server {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    /// `act` gets the request and its number, counted from 1.
    pub(crate) fn start(act: impl Fn(usize, &Received) -> Act + Send + Sync + 'static) -> Self {
        let received = Arc::default();
        let (sender, address) = mpsc::channel();
        let act = Arc::new(act);
        let shared = Arc::clone(&received);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (act, received) = (Arc::clone(&act), Arc::clone(&shared));
                    let service = service_fn(move |request| {
                        serve(request, Arc::clone(&act), Arc::clone(&received))
                    });
                    // A client that hangs up is part of the tests.
                    tokio::spawn(
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                    );
                }
            });
        });
        let address = address.recv().unwrap();
        Self {
            url: format!("http://{address}/zego/record"),
            received,
        }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn serve(
    request: http::Request<Incoming>,
    act: Arc<impl Fn(usize, &Received) -> Act>,
    received: Arc<Mutex<Vec<Received>>>,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let header = |name| {
        let value = request.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let mut this = Received {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        content_type: header(http::header::CONTENT_TYPE),
        chunked: header(http::header::TRANSFER_ENCODING) == "chunked",
        headers: request.headers().clone(),
        body: Vec::new(),
    };
    this.body = request.into_body().collect().await?.to_bytes().to_vec();
    let number = {
        let mut all = received.lock().unwrap();
        all.push(this.clone());
        all.len()
    };
    match act(number, &this) {
        Act::Answer(status, body) => {
            let mut response = http::Response::new(Full::from(body));
            *response.status_mut() = status.try_into().unwrap();
            Ok(response)
        }
        Act::Hang => std::future::pending().await,
    }
}

/// A receiver below HTTP servers, which forget a request whose client has hung up: it hands over every
/// body that has arrived in full, and answers it 200. Bodies must announce their length.
pub(crate) fn raw_receiver() -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, bodies) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            // What ends a connection, and how, is the client's choice.
            thread::spawn(move || read_bodies(stream?, &sender));
        }
    });
    (url, bodies)
}

fn read_bodies(stream: TcpStream, sender: &mpsc::Sender<Vec<u8>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let _ = sender.send(body);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1";
        reader.get_mut().write_all(answer)?;
    }
}

/// A file that is gone when the test ends.
pub(crate) struct TempFile(std::path::PathBuf);

impl TempFile {
    pub(crate) fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let name = format!("zego-record-test-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A directory that is gone when the test ends.
pub(crate) struct TempDir(std::path::PathBuf);

impl TempDir {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("zego-record-test-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
