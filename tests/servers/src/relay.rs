//! A relay before a server that counts round trips.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// A relay on a port of its own, for as long as the process lives.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    round_trips: Arc<AtomicU64>,
}

impl Relay {
    /// A relay before a server on this port of loopback.
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let round_trips = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&round_trips);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                relay(client, server, Arc::clone(&counted));
            }
        });
        Self { port, round_trips }
    }

    /// Where it listens on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often a client has sent something after it had got an answer to what it had sent before.
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::SeqCst)
    }
}

fn relay(client: TcpStream, server: TcpStream, round_trips: Arc<AtomicU64>) {
    let is_answered = Arc::new(AtomicBool::new(true));
    let answers = Arc::clone(&is_answered);
    let (from_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        copy(&client, &server, || {
            if is_answered.swap(false, Ordering::SeqCst) {
                round_trips.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    thread::spawn(move || {
        copy(&from_server, &to_client, || {
            answers.store(true, Ordering::SeqCst);
        })
    });
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, seen: impl Fn()) -> io::Result<()> {
    let mut buffer = [0; 65_536];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return to.shutdown(std::net::Shutdown::Write);
        }
        seen();
        to.write_all(&buffer[..length])?;
    }
}
