//! Sends a signed request to the app and reads its answer.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::sleep;

use crate::error::{Error, chain};
use crate::tls::{TlsArgs, client_config};

/// This much of an answer's body is read.
const ANSWER_LIMIT: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What an app may ask for with `Retry-After`.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A client for one destination.
#[derive(Debug)]
pub(crate) struct ForwardClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    timeout: Duration,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Status {
        status: u16,
        /// The beginning of the body.
        text: String,
        retry_after: Option<Duration>,
    },
    /// There was none: refused, reset, not in time.
    None(String),
}

impl ForwardClient {
    pub(crate) fn new(url: Uri, timeout: Duration, tls: &TlsArgs) -> Result<Self, Error> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(client_config(&url, tls)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url,
            timeout,
        })
    }

    /// Posts once. A redirect is an answer like any other: what is signed for one place goes to no other.
    pub(crate) async fn post(&self, headers: HeaderMap, body: Bytes) -> Answer {
        let mut request = Request::post(self.url.clone()).body(Full::new(body));
        if let Ok(request) = &mut request {
            *request.headers_mut() = headers;
            let agent = concat!("zego-record/", env!("CARGO_PKG_VERSION"));
            request
                .headers_mut()
                .insert(USER_AGENT, HeaderValue::from_static(agent));
            request
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let request = match request {
            Ok(request) => request,
            Err(error) => return Answer::None(chain(&error)),
        };
        let mut timeout = pin!(sleep(self.timeout));
        let answer = tokio::select! {
            answer = self.client.request(request) => answer,
            () = timeout.as_mut() => {
                return Answer::None(format!("no answer within {:?}", self.timeout));
            }
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Answer::None(chain(&error)),
        };
        let status = answer.status().as_u16();
        let retry_after = retry_after(answer.headers(), SystemTime::now());
        // The status has decided; a body that is too long, breaks off or never ends changes nothing.
        let mut body = Vec::new();
        tokio::select! {
            () = read(answer.into_body(), &mut body) => {}
            () = timeout => {}
        }
        Answer::Status {
            status,
            text: String::from_utf8_lossy(&body).into_owned(),
            retry_after,
        }
    }
}

/// Reads as much as is kept at most.
async fn read(mut body: Incoming, into: &mut Vec<u8>) {
    while into.len() < ANSWER_LIMIT
        && let Some(Ok(frame)) = body.frame().await
    {
        let data = frame.into_data().unwrap_or_default();
        into.extend(data.iter().take(ANSWER_LIMIT - into.len()));
    }
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            date.duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_retry_after_as_seconds_or_a_date_up_to_a_day() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let date = httpdate::fmt_http_date(now + Duration::from_secs(90));
        for (text, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (date.as_str(), Some(90)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("18446744073709551615", Some(24 * 60 * 60)),
            ("18446744073709551616", None),
            ("-1", None),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            let seconds = retry_after(&headers, now).map(|wait| wait.as_secs());
            assert_eq!(seconds, expected, "{text}");
        }
    }
}
