//! What tests of receivers have in common: a secret, a receiver that has it, and requests that are fresh.
//!
//! ```
//! use zego_record_testkit::fixtures::{self, TestResponse};
//! use zego_record_core::{Verdict, Verified};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let receiver = fixtures::receiver().build().unwrap();
//! let request = fixtures::request("lesson-7").build();
//! let verified = receiver.pipeline().verify(request.body()).await.unwrap();
//! assert!(matches!(verified, Verified::Record(recording) if recording.stream_alias() == "lesson-7"));
//!
//! // What a client must get from any adapter.
//! let response = TestResponse::expected(Verdict::Handled);
//! assert_eq!((response.status, response.body.as_str()), (200, "1"));
//! # }
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use zego_record_core::{UnixSeconds, Verdict, Verifier};
use zego_record_receiver::{Receiver, ReceiverBuilder};

use crate::request::RequestBuilder;
use crate::signing::verifier_with;

/// The secret of [`verifier`], [`receiver`] and [`request`].
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A verifier with [`SECRET`], and otherwise with default settings.
pub fn verifier() -> Verifier {
    verifier_with(SECRET)
}

/// A receiver with [`SECRET`], to be configured further.
pub fn receiver() -> ReceiverBuilder {
    Receiver::builder(verifier())
}

/// The system's time.
pub fn now() -> UnixSeconds {
    SystemTime::now().into()
}

/// A request about a stream, fresh and signed with [`SECRET`]. Requests about two streams are two
/// deliveries, two requests about one stream are the same delivery.
pub fn request(stream_alias: &str) -> RequestBuilder {
    RequestBuilder::new(SECRET, now())
        .vendor(None)
        .field("stream_alias", stream_alias)
        .field(
            "replay_url",
            format!("https://vod.example.com/{stream_alias}.mp4"),
        )
}

/// Counts the runs of a handler. Clones share one count.
#[derive(Clone, Debug, Default)]
pub struct Runs(Arc<AtomicUsize>);

impl Runs {
    /// Counts a run, and returns which one it is, from 1.
    pub fn count(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How many there were.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A whole response as an adapter makes it in process, before a server adds headers of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResponse {
    /// The status.
    pub status: u16,
    /// Name and value of each header, sorted.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// The verdict in the response's extensions.
    pub verdict: Option<Verdict>,
}

impl TestResponse {
    /// The response to a request with this verdict, with these headers and no others.
    pub fn expected(verdict: Verdict) -> Self {
        let content_type = ("content-type", "text/plain");
        let headers = match verdict {
            Verdict::MethodNotAllowed => vec![("allow", "POST"), content_type],
            _ => vec![content_type],
        };
        Self::new(verdict.status(), headers, verdict.body(), Some(verdict))
    }

    /// A response of a framework that does not use the crate `http`.
    pub fn new<'a>(
        status: u16,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: impl AsRef<[u8]>,
        verdict: Option<Verdict>,
    ) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut headers: Vec<_> = headers.into_iter().map(owned).collect();
        headers.sort();
        Self {
            status,
            headers,
            body: String::from_utf8_lossy(body.as_ref()).into_owned(),
            verdict,
        }
    }
}

impl<B: AsRef<[u8]>> From<http::Response<B>> for TestResponse {
    fn from(response: http::Response<B>) -> Self {
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("not a text")));
        Self::new(
            response.status().as_u16(),
            headers,
            response.body(),
            response.extensions().get().copied(),
        )
    }
}
