//! An app that gets what is forwarded, and answers as a test wants.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const FORWARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request that has come.
#[derive(Clone, Debug)]
pub(crate) struct Forwarded {
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Forwarded {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn stream(&self) -> String {
        self.json()["data"]["stream_alias"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

type Behaviour = dyn Fn(usize, &Forwarded) -> String + Send + Sync;

/// An app on loopback, until the test ends.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Forwarded>>,
    arrived: Condvar,
}

impl App {
    /// `answer` gets the number of the request, from 1, and returns the head of the answer after the
    /// protocol: `200 OK`, perhaps with headers in further lines.
    pub(crate) fn start(
        answer: impl Fn(usize, &Forwarded) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::start_at(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    pub(crate) fn start_at(
        listener: TcpListener,
        answer: impl Fn(usize, &Forwarded) -> String + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (all, answer): (_, Arc<Behaviour>) = (Arc::clone(&shared), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, answer) = (Arc::clone(&all), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &shared, &*answer));
            }
        });
        Self { address, shared }
    }

    /// An app that is content with everything.
    pub(crate) fn content() -> Self {
        Self::start(|_, _| "200 OK".to_owned())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/recordings", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Forwarded> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Waits until this is true of what has come.
    pub(crate) fn wait_for(
        &self,
        what: &str,
        condition: impl Fn(&[Forwarded]) -> bool,
    ) -> Vec<Forwarded> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut requests = self.shared.requests.lock().unwrap();
        while !condition(&requests) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no {what} within a minute: {} came",
                requests.len()
            );
            requests = self.shared.arrived.wait_timeout(requests, left).unwrap().0;
        }
        requests.clone()
    }

    pub(crate) fn wait_for_count(&self, count: usize) -> Vec<Forwarded> {
        self.wait_for(&format!("{count} requests"), |requests| {
            requests.len() >= count
        })
    }
}

/// One request a connection.
fn serve(mut stream: TcpStream, shared: &Shared, answer: &Behaviour) {
    let Some(request) = read(&mut stream) else {
        return;
    };
    let number = {
        let mut requests = shared.requests.lock().unwrap();
        requests.push(request.clone());
        requests.len()
    };
    shared.arrived.notify_all();
    let head = answer(number, &request);
    if head.is_empty() {
        return;
    }
    let text = "text of the app";
    let _ = write!(
        stream,
        "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    );
}

fn read(stream: &mut TcpStream) -> Option<Forwarded> {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
            let headers: HashMap<_, _> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers.get("content-length")?.parse().ok()?;
            let mut body = bytes[end + 4..].to_vec();
            while body.len() < length {
                let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
                body.extend(&chunk[..read]);
            }
            return Some(Forwarded { headers, body });
        }
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend(&chunk[..read]);
    }
}
