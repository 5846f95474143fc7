//! Several workers that share one receiver, over a socket.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use actix_web::dev::{ServerHandle, Service};
use actix_web::{App, HttpServer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use zego_record_actix::{HandlerError, RecordCallback, record};

use crate::support::{Runs, receiver, signed};

const WORKERS: usize = 4;
const LONG: Duration = Duration::from_secs(20);

/// A server whose handler says that it has begun and waits until it may end.
struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    began: mpsc::UnboundedReceiver<()>,
    may_end: Arc<Semaphore>,
    runs: Runs,
    threads: Arc<Mutex<HashSet<ThreadId>>>,
}

impl Server {
    fn start() -> Self {
        let receiver = receiver();
        let (tell, began) = mpsc::unbounded_channel();
        let may_end = Arc::new(Semaphore::new(0));
        let runs = Runs::default();
        let threads = Arc::new(Mutex::new(HashSet::new()));
        let factory = {
            let (may_end, runs, threads) = (may_end.clone(), runs.clone(), threads.clone());
            move || {
                let (tell, may_end, runs) = (tell.clone(), may_end.clone(), runs.clone());
                let handler = move |_: RecordCallback| {
                    let (tell, may_end, runs) = (tell.clone(), may_end.clone(), runs.clone());
                    async move {
                        runs.count();
                        tell.send(())?;
                        may_end.acquire().await?.forget();
                        Ok::<_, HandlerError>(())
                    }
                };
                let threads = threads.clone();
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
            began,
            may_end,
            runs,
            threads,
        }
    }

    async fn began(&mut self) {
        timeout(LONG, self.began.recv()).await.unwrap().unwrap();
    }

    async fn connect(&self, head: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "POST /zego/record HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{head}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn send(&self, body: &str) -> TcpStream {
        self.connect(&format!("content-length: {}", body.len()), body)
            .await
    }
}

/// The status, the body, and the headers that are not the server's own. It does not wait for the
/// connection's end: actix goes on to read what is left of a chunked body.
async fn answer(stream: TcpStream) -> (u16, String, Vec<String>) {
    timeout(LONG, read_answer(BufReader::new(stream)))
        .await
        .unwrap()
}

async fn read_answer(mut stream: BufReader<TcpStream>) -> (u16, String, Vec<String>) {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.is_empty()) {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        lines.push(line.trim_end().to_lowercase());
    }
    let mut headers: Vec<_> = lines.drain(1..).filter(|line| !line.is_empty()).collect();
    let length = headers
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();

    let own = ["connection", "content-length", "date"];
    headers.retain(|line| !own.contains(&line.split(':').next().unwrap()));
    headers.sort();
    let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    (status, String::from_utf8(body).unwrap(), headers)
}

fn expected(status: u16, body: &str) -> (u16, String, Vec<String>) {
    let headers = vec!["content-type: text/plain".to_owned()];
    (status, body.to_owned(), headers)
}

#[actix_web::test]
async fn forty_identical_requests_at_once_run_the_handler_once() {
    let mut server = Server::start();
    let body = signed("lesson-7");
    let (tell, mut answers) = mpsc::unbounded_channel();
    for _ in 0..40 {
        let stream = server.send(&body).await;
        let tell = tell.clone();
        actix_web::rt::spawn(async move { tell.send(answer(stream).await) });
    }

    server.began().await;
    for _ in 0..39 {
        let rejected = timeout(LONG, answers.recv()).await.unwrap().unwrap();
        assert_eq!(rejected, expected(409, "in_progress"));
    }
    server.may_end.add_permits(1);
    let accepted = timeout(LONG, answers.recv()).await.unwrap().unwrap();
    assert_eq!(accepted, expected(200, "1"));

    assert_eq!(answer(server.send(&body).await).await, expected(200, "1"));
    assert_eq!(server.runs.get(), 1);
    assert_eq!(server.threads.lock().unwrap().len(), WORKERS);
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn a_client_that_goes_away_leaves_the_handler_running() {
    let mut server = Server::start();
    let body = signed("lesson-7");
    let stream = server.send(&body).await;
    server.began().await;
    drop(stream);

    // The retries come on other connections, and thus to other workers.
    let meanwhile = answer(server.send(&body).await).await;
    assert_eq!(meanwhile, expected(409, "in_progress"));
    server.may_end.add_permits(1);
    let retry = loop {
        let answer = answer(server.send(&body).await).await;
        if answer.0 != 409 {
            break answer;
        }
    };
    assert_eq!(retry, expected(200, "1"));
    assert_eq!(server.runs.get(), 1);
    server.handle.stop(false).await;
}

/// Without `actix_web::main`, workers make runtimes of their own.
#[tokio::test]
async fn it_runs_in_a_server_that_tokio_has_started() {
    let mut server = Server::start();
    let stream = server.send(&signed("lesson-7")).await;
    server.began().await;
    server.may_end.add_permits(1);
    assert_eq!(answer(stream).await, expected(200, "1"));
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn a_body_that_is_too_long_is_rejected_before_it_ends() {
    let server = Server::start();
    let announced = server.connect("content-length: 3145728", "").await;
    assert_eq!(answer(announced).await, expected(413, "body_too_large"));

    let chunk = format!("10001\r\n{}\r\n", "x".repeat(0x1_0001));
    let chunked = server.connect("transfer-encoding: chunked", &chunk).await;
    assert_eq!(answer(chunked).await, expected(413, "body_too_large"));
    server.handle.stop(false).await;
}
