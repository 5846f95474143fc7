//! `record` over a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use warp::Filter;
use zego_record_warp::{HandlerError, RecordCallback, record};

use crate::support::{Runs, receiver, signed};

const LONG: Duration = Duration::from_secs(20);

/// A server whose handler says that it has begun and waits until it may end.
struct Server {
    address: SocketAddr,
    began: mpsc::UnboundedReceiver<()>,
    /// Requests whose future is gone, answered or not.
    gone: mpsc::UnboundedReceiver<()>,
    may_end: Arc<Semaphore>,
    runs: Runs,
}

impl Server {
    async fn start() -> Self {
        let (tell, began) = mpsc::unbounded_channel();
        let (tell_gone, gone) = mpsc::unbounded_channel();
        let may_end = Arc::new(Semaphore::new(0));
        let runs = Runs::default();
        let handler = {
            let (may_end, runs) = (may_end.clone(), runs.clone());
            move |_: RecordCallback| {
                let (tell, may_end, runs) = (tell.clone(), may_end.clone(), runs.clone());
                async move {
                    runs.count();
                    tell.send(())?;
                    may_end.acquire().await?.forget();
                    Ok::<_, HandlerError>(())
                }
            }
        };
        let routes = warp::path!("zego" / "record")
            .map(move || TellsWhenDropped(tell_gone.clone()))
            .and(record(receiver(), handler))
            .map(|_, response| response);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        Self {
            address,
            began,
            gone,
            may_end,
            runs,
        }
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

struct TellsWhenDropped(mpsc::UnboundedSender<()>);

impl Drop for TellsWhenDropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

async fn next<T>(channel: &mut mpsc::UnboundedReceiver<T>) -> T {
    timeout(LONG, channel.recv()).await.unwrap().unwrap()
}

/// The status, the body, and the headers that are not the server's own.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forty_identical_requests_at_once_run_the_handler_once() {
    let mut server = Server::start().await;
    let body = signed("lesson-7");
    let (tell, mut answers) = mpsc::unbounded_channel();
    for _ in 0..40 {
        let stream = server.send(&body).await;
        let tell = tell.clone();
        tokio::spawn(async move { tell.send(answer(stream).await) });
    }

    next(&mut server.began).await;
    for _ in 0..39 {
        assert_eq!(next(&mut answers).await, expected(409, "in_progress"));
    }
    server.may_end.add_permits(1);
    assert_eq!(next(&mut answers).await, expected(200, "1"));

    assert_eq!(answer(server.send(&body).await).await, expected(200, "1"));
    assert_eq!(server.runs.get(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_handler_running() {
    let mut server = Server::start().await;
    let body = signed("lesson-7");
    let stream = server.send(&body).await;
    next(&mut server.began).await;
    drop(stream);
    next(&mut server.gone).await;

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
}

#[tokio::test]
async fn a_body_that_is_too_long_is_rejected_before_it_ends() {
    let server = Server::start().await;
    let announced = server.connect("content-length: 3145728", "").await;
    assert_eq!(answer(announced).await, expected(413, "body_too_large"));

    let chunk = format!("10001\r\n{}\r\n", "x".repeat(0x1_0001));
    let chunked = server.connect("transfer-encoding: chunked", &chunk).await;
    assert_eq!(answer(chunked).await, expected(413, "body_too_large"));
}
