//! Load over loopback: a server in a process of its own, and 32 connections to it.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::app::{Extent, Framework};
use crate::response;

/// Connections that are open at once; each sends its next request when the answer is there.
pub const CONNECTIONS: usize = 32;

/// No round takes longer, whatever the server does.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server in a process of its own, until it is dropped.
pub struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts the binary `server`; it stops when its standard input is closed, also if this process
    /// dies.
    pub fn start(binary: &Path, framework: Framework, extent: Extent) -> Self {
        let mut process = Command::new(binary)
            .args([framework.name(), extent.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stdout = process.stdout.take().expect("its output is piped");
        let mut port = String::new();
        let read = BufReader::new(stdout).read_line(&mut port);
        read.expect("the server prints its port");
        let port = port.trim().parse().expect("a port");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { process, address }
    }

    /// Sends requests over all connections, and waits for the answers.
    ///
    /// It asks all connections in turn and never sleeps. If it did, a slow server would have to wake it
    /// for each answer, which costs as much as answering, and a fast one would not.
    pub fn take(&self, requests: Vec<Bytes>) -> Round {
        let count = requests.len();
        let mut requests = requests.into_iter();
        let mut connections: Vec<_> = (0..CONNECTIONS)
            .map(|_| Connection::open(self.address))
            .collect();
        let mut latencies = Vec::with_capacity(count);
        let cpu = self.cpu_time();
        let begin = Instant::now();
        for (connection, request) in connections.iter_mut().zip(&mut requests) {
            connection.send(&request);
        }
        while latencies.len() < count {
            for connection in &mut connections {
                if let Some(latency) = connection.answered() {
                    latencies.push(latency);
                    if let Some(request) = requests.next() {
                        connection.send(&request);
                    }
                }
            }
            assert!(begin.elapsed() < PATIENCE, "the server does not answer");
        }
        let elapsed = begin.elapsed();
        let cpu = self.cpu_time().saturating_sub(cpu);
        latencies.sort_unstable();
        Round {
            per_second: count as f64 / elapsed.as_secs_f64(),
            p50: latencies[count / 2],
            p99: latencies[count * 99 / 100],
            cpu: cpu.div_f64(count as f64),
            busy: cpu.as_secs_f64() / elapsed.as_secs_f64(),
        }
    }

    /// Memory that the server's process holds, in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        kibibytes.unwrap_or(0_u64) * 1024
    }

    /// Processor time of all threads of the server; the scheduler counts it in nanoseconds.
    fn cpu_time(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id()));
        let threads = threads.expect("a server that runs");
        let time = |thread: fs::DirEntry| -> Option<u64> {
            let statistics = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            statistics.split(' ').next()?.parse().ok()
        };
        let nanoseconds = threads.flatten().filter_map(time).sum();
        Duration::from_nanos(nanoseconds)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// What one round has shown.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Requests answered in a second.
    pub per_second: f64,
    /// Half of the answers came faster.
    pub p50: Duration,
    /// 99 of 100 answers came faster.
    pub p99: Duration,
    /// Processor time of the server for one request.
    pub cpu: Duration,
    /// How much of one core the server has used.
    pub busy: f64,
}

/// Keeps this thread, and those that it starts, on one core, so that server and load do not take each
/// other's. Where that is not possible, the spread of the rounds shows it.
pub fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    let _ = sched_setaffinity(None, &cores);
}

/// One connection, with a request on its way or none.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    sent: Option<Instant>,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a server on loopback");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_nonblocking(true).expect("a socket option");
        Self {
            stream,
            received: Vec::with_capacity(1024),
            sent: None,
        }
    }

    fn send(&mut self, request: &[u8]) {
        self.sent = Some(Instant::now());
        // It is shorter than any socket's buffer, which is empty.
        self.stream.write_all(request).expect("a server");
    }

    /// How long the answer took, once it is there.
    fn answered(&mut self) -> Option<Duration> {
        let sent = self.sent?;
        let mut buffer = [0; 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the server has closed the connection"),
            Ok(read) => self.received.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => panic!("the server is gone: {error}"),
        }
        if !response::is_complete(&self.received) {
            return None;
        }
        self.received.clear();
        self.sent = None;
        Some(sent.elapsed())
    }
}
