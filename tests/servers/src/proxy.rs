//! A proxy before a PostgreSQL server that fails at a COMMIT.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to a COMMIT, when the client knows the outcome of whatever was before it. Exhaustive by
/// decision: a test has an expectation for each.
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

/// What both directions of a connection know.
#[derive(Default)]
struct Connection {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answers: Answers,
    /// How many requests the server has yet to answer.
    unanswered: usize,
    is_closed: bool,
}

/// What becomes of the server's answers.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Answers {
    #[default]
    Pass,
    CutWhenCommitted,
    Disappear,
}

impl Connection {
    fn update<T>(&self, update: impl FnOnce(&mut State) -> T) -> T {
        let result = update(&mut self.state.lock().unwrap());
        self.changed.notify_all();
        result
    }

    /// The client knows the outcome of whatever it has sent so far.
    fn wait_for_answers(&self) {
        let is_waiting = |state: &mut State| state.unanswered > 0 && !state.is_closed;
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, is_waiting).unwrap());
    }
}

fn relay(client: TcpStream, server: TcpStream, faults: Arc<Mutex<Option<Fault>>>) {
    let connection = Arc::new(Connection::default());
    let (from_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let of_server = Arc::clone(&connection);
    thread::spawn(move || {
        let _ = relay_answers(&from_server, &to_client, &of_server);
        of_server.update(|state| state.is_closed = true);
        cut(&from_server, &to_client);
    });
    thread::spawn(move || {
        let _ = relay_requests(&client, &server, &connection, &faults);
        // A client behind a black hole is not seen to go away.
        if connection.update(|state| state.answers) == Answers::Pass {
            cut(&client, &server);
        }
    });
}

fn relay_answers(
    server: &TcpStream,
    mut client: &TcpStream,
    connection: &Connection,
) -> io::Result<()> {
    let mut messages = Messages::of_server();
    while let Some(answer) = messages.next(server)? {
        match connection.update(|state| state.answers) {
            Answers::Pass => client.write_all(&answer)?,
            Answers::Disappear => {}
            Answers::CutWhenCommitted => {
                if answer == b"C\0\0\0\x0bCOMMIT\0" {
                    return Ok(());
                }
            }
        }
        if answer.first() == Some(&b'Z') {
            connection.update(|state| state.unanswered = state.unanswered.saturating_sub(1));
        }
    }
    Ok(())
}

fn relay_requests(
    mut client: &TcpStream,
    mut server: &TcpStream,
    connection: &Connection,
    faults: &Mutex<Option<Fault>>,
) -> io::Result<()> {
    let mut messages = Messages::of_client();
    while let Some(request) = messages.next(client)? {
        let is_commit = request == b"Q\0\0\0\x0bCOMMIT\0";
        let fault = if is_commit {
            faults.lock().unwrap().take()
        } else {
            None
        };
        if fault.is_some() {
            connection.wait_for_answers();
        }
        let answers = match fault {
            None | Some(Fault::CutBefore | Fault::Delay(_)) => Answers::Pass,
            Some(Fault::CutAfter) => Answers::CutWhenCommitted,
            Some(Fault::SwallowAnswer | Fault::SwallowCommit) => Answers::Disappear,
        };
        // A query and a synchronization are answered by a message that the server is ready.
        let is_answered = matches!(request.first(), Some(b'Q' | b'S'));
        connection.update(|state| {
            state.answers = answers;
            state.unanswered += usize::from(is_answered);
        });
        match fault {
            None => {}
            Some(Fault::CutBefore) => return Ok(()),
            Some(Fault::Delay(time)) => thread::sleep(time),
            Some(Fault::CutAfter) => {}
            Some(fault @ (Fault::SwallowCommit | Fault::SwallowAnswer)) => {
                if fault == Fault::SwallowAnswer {
                    server.write_all(&request)?;
                }
                let mut rest = Vec::new();
                client.read_to_end(&mut rest)?;
                return Ok(());
            }
        }
        server.write_all(&request)?;
    }
    Ok(())
}

/// Splits what is sent into messages. The first of a client has no type.
struct Messages {
    bytes: Vec<u8>,
    has_type: bool,
}

impl Messages {
    const fn of_client() -> Self {
        Self {
            bytes: Vec::new(),
            has_type: false,
        }
    }

    const fn of_server() -> Self {
        Self {
            bytes: Vec::new(),
            has_type: true,
        }
    }

    fn next(&mut self, mut stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
        loop {
            let start = usize::from(self.has_type);
            if let Some(length) = self.bytes.get(start..start + 4) {
                let length = u32::from_be_bytes(length.try_into().unwrap());
                let end = start + usize::try_from(length).unwrap();
                if self.bytes.len() >= end {
                    self.has_type = true;
                    return Ok(Some(self.bytes.drain(..end).collect()));
                }
            }
            let mut buffer = [0; 8_192];
            let length = stream.read(&mut buffer)?;
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
