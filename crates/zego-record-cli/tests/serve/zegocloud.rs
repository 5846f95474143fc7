//! What ZEGOCLOUD sends, over a socket of its own for each request.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime};

use zego_record_core::UnixSeconds;
use zego_record_testkit::{RequestBuilder, SignedRequest};

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn now() -> UnixSeconds {
    SystemTime::now().into()
}

/// A signed callback about this stream; equal names give equal content.
pub(crate) fn callback(stream: &str) -> SignedRequest {
    callback_by(SECRET, stream)
}

pub(crate) fn callback_by(secret: &str, stream: &str) -> SignedRequest {
    RequestBuilder::new(secret, now())
        .field("stream_alias", stream)
        .field(
            "replay_url",
            format!("https://vod.example.com/{stream}.mp4"),
        )
        .field("begin_time", "1760000000")
        .field("end_time", "1760001800")
        .field("extra_params", "{}")
        .build()
}

/// The status and the body of the answer.
pub(crate) fn post(address: SocketAddr, request: &SignedRequest) -> io::Result<(u16, String)> {
    send(address, "POST", "/zego/record", &[], request.body())
}

pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    send(address, "GET", path, &[], b"")
}

pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head += &format!("host: {address}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no answer"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}
