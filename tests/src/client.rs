//! Two clients: a well-behaved one, and a socket to misbehave with.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No test waits longer for a server.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one request on a connection of its own.
pub async fn send(address: SocketAddr, request: Request<Bytes>) -> Response<Bytes> {
    try_send(address, request).await.unwrap()
}

/// Sends one request on a connection of its own, to a server that may end meanwhile.
pub async fn try_send(
    address: SocketAddr,
    mut request: Request<Bytes>,
) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("receiver.example"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request.map(Full::new)).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        Ok(Response::from_parts(parts, body))
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .expect("the server did not respond")
}

/// A connection on which a test writes what it likes.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            unread: Vec::new(),
        }
    }

    /// Writes; whether the server took it.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// How many of a number of bytes the server takes before it answers or closes.
    pub async fn flood(&mut self, chunk: &[u8], most: usize) -> usize {
        let (reader, mut writer) = self.stream.split();
        let mut taken = 0;
        while taken < most {
            tokio::select! {
                biased;
                ready = reader.readable() => {
                    ready.unwrap();
                    break;
                }
                written = writer.write_all(chunk) => match written {
                    Ok(()) => taken += chunk.len(),
                    Err(_) => break,
                },
            }
        }
        taken
    }

    /// The status and the body of the next answer; `None` if the server closes instead.
    pub async fn answer(&mut self) -> Option<(u16, String)> {
        let head = self.read_until(|unread| {
            unread
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
                .map(|at| at + 4)
        });
        let head = String::from_utf8(head.await?).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length: usize = match head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
        {
            Some(length) => length.trim().parse().unwrap(),
            None => panic!("an answer without a length: {head}"),
        };
        let body = self
            .read_until(|unread| (unread.len() >= length).then_some(length))
            .await?;
        Some((status, String::from_utf8(body).unwrap()))
    }

    /// Whether the server closes without another answer.
    pub async fn is_closed(&mut self) -> bool {
        self.answer().await.is_none()
    }

    async fn read_until(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Option<Vec<u8>> {
        let read = async {
            loop {
                if let Some(end) = end(&self.unread) {
                    return Some(self.unread.drain(..end).collect());
                }
                match self.stream.read_buf(&mut self.unread).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the server neither answers nor closes")
    }
}
