//! Signed requests, and answers to look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use http::Response;
use warp::test::RequestBuilder;
use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verifier, sign};
use zego_record_warp::Receiver;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn verifier() -> Verifier {
    let secret = CallbackSecret::new(SECRET).unwrap();
    Verifier::builder().secret(secret).build().unwrap()
}

pub(crate) fn receiver() -> Receiver {
    Receiver::builder(verifier()).build().unwrap()
}

/// A callback about this stream, signed now and under a nonce of its own.
pub(crate) fn signed(stream: &str) -> String {
    signed_event("record", stream)
}

pub(crate) fn signed_event(event: &str, stream: &str) -> String {
    static NONCES: AtomicU32 = AtomicU32::new(100_000);
    let nonce = NONCES.fetch_add(1, Ordering::Relaxed).to_string();
    let timestamp = UnixSeconds::from(SystemTime::now()).to_string();
    let signature = sign(&CallbackSecret::new(SECRET).unwrap(), &timestamp, &nonce);
    format!(
        r#"{{"event":"{event}","appid":"1","stream_alias":"{stream}","replay_url":"https://vod.example.com/7.mp4","begin_time":"1760000000","end_time":"1760001800","timestamp":"{timestamp}","nonce":"{nonce}","signature":"{signature}"}}"#
    )
}

pub(crate) fn post(body: impl AsRef<[u8]>) -> RequestBuilder {
    request("POST").body(body)
}

pub(crate) fn request(method: &str) -> RequestBuilder {
    warp::test::request().method(method).path("/zego/record")
}

#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) verdict: Option<Verdict>,
}

impl Answer {
    /// The whole of an answer of ours: nothing but these headers may be in it.
    pub(crate) fn of(verdict: Verdict) -> Self {
        let mut headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
        if verdict == Verdict::MethodNotAllowed {
            headers.insert(0, ("allow".to_owned(), "POST".to_owned()));
        }
        Self {
            status: verdict.status(),
            headers,
            body: verdict.body().to_owned(),
            verdict: Some(verdict),
        }
    }
}

impl From<Response<Bytes>> for Answer {
    fn from(response: Response<Bytes>) -> Self {
        let mut headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        Self {
            status: response.status().as_u16(),
            headers,
            body: String::from_utf8(response.body().to_vec()).unwrap(),
            verdict: response.extensions().get().copied(),
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<AtomicUsize>);

impl Runs {
    /// Counts a run, and returns which one it is.
    pub(crate) fn count(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
