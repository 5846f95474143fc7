//! A proxy on loopback that gives each connection to the next process.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Where the processes listen; a process that is down is still named.
pub(crate) type Ports = Arc<Mutex<Vec<u16>>>;

pub(crate) struct Proxy;

impl Proxy {
    /// Starts to serve on the runtime that this runs on.
    pub(crate) async fn start(ports: Ports) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for turn in 0.. {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(relay(client, Arc::clone(&ports), turn));
            }
        });
        address
    }
}

/// As proxies do: whoever does not take the connection is skipped, and one that breaks is not repeated.
async fn relay(mut client: TcpStream, ports: Ports, turn: usize) {
    let mut ports = ports.lock().unwrap().clone();
    let first = turn % ports.len();
    ports.rotate_left(first);
    for port in ports {
        if let Ok(mut process) = TcpStream::connect(("127.0.0.1", port)).await {
            let _ = copy_bidirectional(&mut client, &mut process).await;
            return;
        }
    }
}
