//! A proxy before a PostgreSQL server that fails at a COMMIT.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to a COMMIT. Exhaustive by decision: a test has an expectation for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before the server has got it.
    CutBefore,
    /// The connection is cut after the server has committed, before the client knows.
    CutAfter,
    /// It disappears, and whatever comes after it in either direction. The connection stays open.
    SwallowCommit,
    /// The server gets it, and whatever comes after it in either direction disappears. The connection
    /// stays open.
    SwallowAnswer,
    /// It takes longer.
    Delay(Duration),
}

/// A proxy on a port of its own, for as long as the process lives.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    next: Arc<Mutex<Option<Fault>>>,
}

impl Proxy {
    /// A proxy before a server on this port of loopback.
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::new(Mutex::new(None));
        let faults = Arc::clone(&next);
        thread::spawn(move || {
            for client in listener.incoming() {
                if let (Ok(client), Ok(server)) =
                    (client, TcpStream::connect(("127.0.0.1", server)))
                {
                    relay(client, server, Arc::clone(&faults));
                }
            }
        });
        Self { port, next }
    }

    /// Where it listens on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets the next COMMIT fail, and none after it.
    pub fn fail_next_commit(&self, fault: Fault) {
        *self.next.lock().unwrap() = Some(fault);
    }

    /// Whether the fault has happened.
    pub fn has_failed(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }
}

/// What becomes of the server's answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Pass,
    CutWhenCommitted,
    Disappear,
}

fn relay(client: TcpStream, server: TcpStream, faults: Arc<Mutex<Option<Fault>>>) {
    let answers = Arc::new(Mutex::new(Answers::Pass));
    let (from_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let of_server = Arc::clone(&answers);
    thread::spawn(move || {
        let _ = relay_answers(&from_server, &to_client, &of_server);
        cut(&from_server, &to_client);
    });
    thread::spawn(move || {
        let _ = relay_requests(&client, &server, &answers, &faults);
        // A client behind a black hole is not seen to go away.
        if *answers.lock().unwrap() == Answers::Pass {
            cut(&client, &server);
        }
    });
}

fn relay_answers(
    mut server: &TcpStream,
    mut client: &TcpStream,
    answers: &Mutex<Answers>,
) -> io::Result<()> {
    let (mut buffer, mut unseen) = ([0; 8_192], Vec::new());
    loop {
        let length = server.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let answers = *answers.lock().unwrap();
        match answers {
            Answers::Pass => client.write_all(&buffer[..length])?,
            Answers::Disappear => {}
            Answers::CutWhenCommitted => {
                unseen.extend_from_slice(&buffer[..length]);
                if unseen.windows(7).any(|bytes| bytes == b"COMMIT\0") {
                    return Ok(());
                }
            }
        }
    }
}

fn relay_requests(
    mut client: &TcpStream,
    mut server: &TcpStream,
    answers: &Mutex<Answers>,
    faults: &Mutex<Option<Fault>>,
) -> io::Result<()> {
    let mut requests = Requests::default();
    loop {
        let Some(request) = requests.next(client)? else {
            return Ok(());
        };
        let is_commit = request == b"Q\0\0\0\x0bCOMMIT\0";
        let fault = if is_commit {
            faults.lock().unwrap().take()
        } else {
            None
        };
        match fault {
            None => {}
            Some(Fault::Delay(time)) => thread::sleep(time),
            Some(Fault::CutBefore) => return Ok(()),
            Some(Fault::CutAfter) => *answers.lock().unwrap() = Answers::CutWhenCommitted,
            Some(Fault::SwallowAnswer | Fault::SwallowCommit) => {
                *answers.lock().unwrap() = Answers::Disappear;
            }
        }
        if fault != Some(Fault::SwallowCommit) {
            server.write_all(&request)?;
        }
        if matches!(fault, Some(Fault::SwallowCommit | Fault::SwallowAnswer)) {
            let mut rest = Vec::new();
            client.read_to_end(&mut rest)?;
            return Ok(());
        }
    }
}

/// Splits what a client sends into messages. The first has no type.
#[derive(Default)]
struct Requests {
    bytes: Vec<u8>,
    is_started: bool,
}

impl Requests {
    fn next(&mut self, mut client: &TcpStream) -> io::Result<Option<Vec<u8>>> {
        loop {
            let before_length = usize::from(self.is_started);
            if let Some(length) = self.bytes.get(before_length..before_length + 4) {
                let length = u32::from_be_bytes(length.try_into().unwrap());
                let length = before_length + usize::try_from(length).unwrap();
                if self.bytes.len() >= length {
                    self.is_started = true;
                    return Ok(Some(self.bytes.drain(..length).collect()));
                }
            }
            let mut buffer = [0; 8_192];
            let length = client.read(&mut buffer)?;
            if length == 0 {
                return Ok(None);
            }
            self.bytes.extend_from_slice(&buffer[..length]);
        }
    }
}

fn cut(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}
