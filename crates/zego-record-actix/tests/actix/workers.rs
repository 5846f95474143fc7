//! Several workers that share one receiver, over a socket.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use actix_web::dev::{ServerHandle, Service};
use actix_web::{App, HttpServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zego_record_actix::{HandlerError, RecordCallback, record};
use zego_record_testkit::fixtures::Runs;

use crate::support::{receiver, signed};

const WORKERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    runs: Runs,
    /// Those that have received a request.
    threads: Arc<Mutex<HashSet<ThreadId>>>,
}

impl Server {
    fn start() -> Self {
        let receiver = receiver();
        let runs = Runs::default();
        let threads = Arc::new(Mutex::new(HashSet::new()));
        let factory = {
            let (runs, threads) = (runs.clone(), threads.clone());
            move || {
                let (runs, threads) = (runs.clone(), threads.clone());
                let handler = move |_: RecordCallback| {
                    runs.count();
                    async { Ok::<_, HandlerError>(()) }
                };
                App::new()
                    .wrap_fn(move |request, inner| {
                        threads.lock().unwrap().insert(thread::current().id());
                        inner.call(request)
                    })
                    .route("/zego/record", record(receiver.clone(), handler))
            }
        };
        let server = HttpServer::new(factory)
            .workers(WORKERS)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            address,
            handle,
            runs,
            threads,
        }
    }

    /// The whole response to a request on a connection of its own.
    async fn post(&self, body: &str) -> String {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let head = format!(
                "POST /zego/record HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).await.unwrap();
            response
        };
        timeout(PATIENCE, exchange).await.unwrap()
    }
}

fn assert_success(response: &str) {
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(response.ends_with("\r\n\r\n1"), "{response}");
}

#[actix_web::test]
async fn a_retry_is_recognised_on_every_worker() {
    let server = Server::start();
    let body = signed("lesson-7");
    // actix gives each connection to another worker, if it is not busy.
    for _ in 0..1_000 {
        assert_success(&server.post(&body).await);
        if server.threads.lock().unwrap().len() == WORKERS {
            break;
        }
    }
    assert_eq!(server.threads.lock().unwrap().len(), WORKERS);
    assert_eq!(server.runs.get(), 1);
    server.handle.stop(false).await;
}

/// Without `actix_web::main`, workers make runtimes of their own.
#[tokio::test]
async fn it_runs_in_a_server_that_tokio_has_started() {
    let server = Server::start();
    assert_success(&server.post(&signed("lesson-7")).await);
    server.handle.stop(false).await;
}
