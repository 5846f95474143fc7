//! Signed requests, and answers to look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::SystemTime;

use actix_web::Error;
use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::TestRequest;
use zego_record_actix::Receiver;
use zego_record_core::{CallbackSecret, UnixSeconds, Verdict, Verifier, sign};

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

pub(crate) fn post(body: impl Into<String>) -> TestRequest {
    request(Method::POST).set_payload(body.into())
}

pub(crate) fn request(method: Method) -> TestRequest {
    TestRequest::with_uri("/zego/record")
        .method(method)
        .insert_header(("content-type", "application/json"))
}

#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) verdict: Option<Verdict>,
    /// It came as an error, which actix's server turns into a response as is done here.
    pub(crate) is_error: bool,
}

impl Reply {
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
            is_error: false,
        }
    }
}

pub(crate) async fn reply<S, R, B>(app: &S, request: R) -> Reply
where
    S: Service<R, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let (response, is_error) = match app.call(request).await {
        Ok(response) => (response.map_into_boxed_body().into_parts().1, false),
        Err(error) => (error.error_response(), true),
    };
    let mut headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let status = response.status().as_u16();
    let verdict = response.extensions().get::<Verdict>().copied();
    let body = to_bytes(response.into_body()).await.ok().unwrap();
    Reply {
        status,
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        verdict,
        is_error,
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
