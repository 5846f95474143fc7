//! A TCP proxy in front of a server that can lose answers, cut connections, or lose everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use zego_record_test_servers::Redis;

/// For a machine under any load.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a connection does that was made before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    None,
    /// Requests arrive, answers are lost, the connection stays.
    LoseAnswers,
    /// Requests arrive, and the connection is cut instead of the answer.
    CutAnswers,
}

pub(crate) struct Proxy {
    port: u16,
    target: Arc<AtomicU16>,
    fault: Arc<AtomicU8>,
    accepted: Arc<AtomicU32>,
    lost: watch::Receiver<u32>,
    closed: watch::Receiver<u32>,
}

impl Proxy {
    /// A fault hits the connections that are open, the next ones are sound.
    pub(crate) async fn start(server: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fault = Arc::new(AtomicU8::new(Fault::None as u8));
        let accepted = Arc::new(AtomicU32::new(0));
        let (losses, lost) = watch::channel(0);
        let losses = Arc::new(losses);
        let (closes, closed) = watch::channel(0);
        let closes = Arc::new(closes);
        let target = Arc::new(AtomicU16::new(server.port()));
        let (faults, count) = (Arc::clone(&fault), Arc::clone(&accepted));
        let current = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                faults.store(Fault::None as u8, Ordering::SeqCst);
                let target = current.load(Ordering::SeqCst);
                let server = TcpStream::connect(("127.0.0.1", target)).await;
                let Ok(server) = server else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(forward(from_client, to_server, Arc::clone(&closes)));
                let (faults, losses) = (Arc::clone(&faults), Arc::clone(&losses));
                tokio::spawn(answer(from_server, to_client, faults, losses));
            }
        });
        Self {
            port,
            target,
            fault,
            accepted,
            lost,
            closed,
        }
    }

    pub(crate) fn url(&self, server: &Redis) -> String {
        let own = format!(":{}", self.port);
        server.url().replace(&format!(":{}", server.port()), &own)
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    /// Connections that are made from now on go to another server.
    pub(crate) fn lead_to(&self, server: &Redis) {
        self.target.store(server.port(), Ordering::SeqCst);
    }

    /// How many connections were made.
    pub(crate) fn accepted(&self) -> u32 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Waits until so many answers were lost.
    pub(crate) async fn lost(&self, number: u32) {
        reaches(&self.lost, number).await;
    }

    /// Waits until clients have closed so many connections.
    pub(crate) async fn closed(&self, number: u32) {
        reaches(&self.closed, number).await;
    }
}

async fn reaches(count: &watch::Receiver<u32>, number: u32) {
    let mut count = count.clone();
    let reached = count.wait_for(|count| *count >= number);
    timeout(PATIENCE, reached).await.unwrap().unwrap();
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, closes: Arc<watch::Sender<u32>>) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
    closes.send_modify(|closed| *closed += 1);
}

/// A connection that has lost an answer loses all that follow.
async fn answer(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: Arc<AtomicU8>,
    losses: Arc<watch::Sender<u32>>,
) {
    let mut bytes = vec![0; 16 * 1024];
    let mut loses = false;
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let fault = faults.load(Ordering::SeqCst);
        loses |= fault == Fault::LoseAnswers as u8;
        if loses || fault == Fault::CutAnswers as u8 {
            losses.send_modify(|lost| *lost += 1);
            if !loses {
                return;
            }
        } else if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
