//! The app behind the inbox: a small HTTP server that can be down, and can be killed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::net::TcpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::server;

/// The header with the id of a callback, by which the app knows one that comes again.
pub(super) const ID: &str = "webhook-id";
/// A stream that finds a bug, until that is mended.
pub(super) const FINDS_A_BUG: &str = "finds-a-bug";
/// Streams of which the app hears once without an answer.
pub(super) const IS_KILLED: &str = "is-killed";
pub(super) const WORKER_IS_KILLED: &str = "worker-is-killed";

/// The app, up or down. What it keeps outlives its process.
pub(super) struct App {
    database: Arc<Database>,
    process: Mutex<Process>,
}

enum Process {
    /// The port is taken and nobody listens on it: connections are refused.
    Down { port: TcpSocket },
    Up {
        address: SocketAddr,
        serving: JoinHandle<()>,
    },
}

#[derive(Default)]
struct Database {
    tables: Mutex<Tables>,
    /// Notified when a request hangs.
    hangs: Notify,
}

#[derive(Default)]
struct Tables {
    /// The ids of the recordings that it has.
    recordings: BTreeSet<Vec<u8>>,
    is_mended: bool,
}

impl App {
    /// An app that is down.
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self {
            database: Arc::default(),
            process: Mutex::new(Process::down()?),
        })
    }

    /// Where it is when it is up. It has a port of its own each time.
    pub(super) fn address(&self) -> Result<SocketAddr, Error> {
        match &*lock(&self.process) {
            Process::Down { port } => port.local_addr().map_err(no_port),
            Process::Up { address, .. } => Ok(*address),
        }
    }

    pub(super) async fn start(&self) -> Result<(), Error> {
        let (listener, address) = server::bind("port", ([127, 0, 0, 1], 0).into()).await?;
        let database = Arc::clone(&self.database);
        let app = Router::new().fallback(move |headers: HeaderMap, stream: String| async move {
            let id = headers.get(ID).map(HeaderValue::as_bytes);
            database.receive(id.unwrap_or_default(), &stream).await
        });
        let until = std::future::pending();
        let serving = tokio::spawn(server::serve(listener, app, |_, _| {}, until));
        *lock(&self.process) = Process::Up { address, serving };
        Ok(())
    }

    /// Ends it as SIGKILL does: connections break, and nothing is answered.
    pub(super) async fn kill(&self) -> Result<(), Error> {
        let process = std::mem::replace(&mut *lock(&self.process), Process::down()?);
        if let Process::Up { serving, .. } = process {
            serving.abort();
            let _ = serving.await;
        }
        Ok(())
    }

    /// Waits until a request gets no answer.
    pub(super) async fn hangs(&self) {
        self.database.hangs.notified().await;
    }

    pub(super) fn mend(&self) {
        lock(&self.database.tables).is_mended = true;
    }

    /// How many recordings it has, each counted once.
    pub(super) fn recordings(&self) -> usize {
        lock(&self.database.tables).recordings.len()
    }
}

impl Process {
    fn down() -> Result<Self, Error> {
        let port = TcpSocket::new_v4().map_err(no_port)?;
        port.bind(([127, 0, 0, 1], 0).into()).map_err(no_port)?;
        Ok(Self::Down { port })
    }
}

impl Database {
    /// Keeps a recording before it answers, as an app should. One that it has is not kept again.
    async fn receive(&self, id: &[u8], stream: &str) -> StatusCode {
        let is_new = {
            let mut tables = lock(&self.tables);
            if stream == FINDS_A_BUG && !tables.is_mended {
                return StatusCode::INTERNAL_SERVER_ERROR;
            }
            tables.recordings.insert(id.to_vec())
        };
        if is_new && [IS_KILLED, WORKER_IS_KILLED].contains(&stream) {
            self.hangs.notify_one();
            return std::future::pending().await;
        }
        StatusCode::OK
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_port(error: std::io::Error) -> Error {
    Error::with_source("cannot take a port on loopback", error)
}
