//! How a request reaches the receiver, and what comes back.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::pin;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderValue, LOCATION};
use http::uri::{Scheme, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::oneshot;
use tower_service::Service;

use super::body::PacedBody;
use super::plan::{DropAnswer, Pace};
use super::verdict::Reply;
use crate::error::{Error, chain};
use crate::tls::{self, TlsArgs};
use crate::url;

/// This much of an answer's body is read; a success is one whatever its body.
const ANSWER_LIMIT: usize = 64 * 1024;

/// More of it would tell nobody anything.
const LOCATION_LIMIT: usize = 300;

/// A request on its way.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outgoing {
    /// The request; where it goes to is the transport's affair.
    pub request: http::Request<Bytes>,
    /// How its body travels.
    pub pace: Pace,
    /// Whether, and when, to close the connection instead of reading the answer.
    pub drop_answer: Option<DropAnswer>,
}

impl Outgoing {
    /// A request whose body travels in one piece and whose answer is read.
    pub const fn new(request: http::Request<Bytes>) -> Self {
        Self {
            request,
            pace: Pace::Whole,
            drop_answer: None,
        }
    }
}

/// Sends requests.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request, once, and returns what came back. It may take as long as it likes; the sender
    /// has its own timeout.
    fn send(&self, outgoing: Outgoing) -> impl Future<Output = Reply> + Send;
}

/// HTTP/1.1 over TCP or TLS.
#[derive(Debug)]
pub struct HttpTransport {
    client: Client<HttpsConnector<HttpConnector>, PacedBody>,
    connector: HttpsConnector<HttpConnector>,
    url: Uri,
    host: HeaderValue,
    headers: HeaderMap,
}

impl HttpTransport {
    /// A transport to a URL, which keeps as many idle connections as requests may run at once.
    pub(crate) fn new(text: &str, concurrency: usize, tls: &TlsArgs) -> Result<Self, Error> {
        let url = url::parse(text)?;
        let connector = tls::connector(&url, tls)?;
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(authority).map_err(|error| {
            Error::with_source(format!("cannot use the host of the URL {text:?}"), error)
        })?;
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(concurrency)
            .build(connector.clone());
        Ok(Self {
            client,
            connector,
            url,
            host,
            headers: HeaderMap::new(),
        })
    }

    /// The same, with these headers on every request.
    pub(crate) fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// The URL that requests are sent to.
    pub fn url(&self) -> &Uri {
        &self.url
    }

    async fn send_and_read(&self, mut request: http::Request<PacedBody>) -> Reply {
        let query = request.uri().query();
        *request.uri_mut() = with_query(&self.url, query);
        match self.client.request(request).await {
            Ok(answer) => read_answer(answer).await,
            Err(error) if error.is_connect() => Reply::Unreachable(self.no_connection(&error)),
            Err(error) => Reply::Broken(self.broken(&error)),
        }
    }

    /// On a connection of its own, which is driven right here: when this returns it is closed, and
    /// not before the request was written.
    async fn send_and_hang_up(
        &self,
        mut request: http::Request<PacedBody>,
        when: DropAnswer,
        written: oneshot::Receiver<()>,
    ) -> Reply {
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        if let Ok(path) = path.parse() {
            *request.uri_mut() = path;
        }
        request.headers_mut().insert(HOST, self.host.clone());
        let stream = match self.connector.clone().call(self.url.clone()).await {
            Ok(stream) => stream,
            Err(error) => return Reply::Unreachable(self.no_connection(&*error)),
        };
        let (mut sender, connection) = match http1::handshake(stream).await {
            Ok(halves) => halves,
            Err(error) => return Reply::Broken(self.broken(&error)),
        };
        let mut answer = pin!(sender.send_request(request));
        let mut connection = pin!(connection);
        let answer = tokio::select! {
            // The connection goes first: what it has taken from the body it has also written.
            biased;
            // By then it is decided as well whether there was an answer.
            _ = &mut connection => answer.await,
            answer = &mut answer => answer,
            Ok(()) = written, if when == DropAnswer::WhenSent => return Reply::Dropped,
        };
        match answer {
            Ok(_) => Reply::Dropped,
            Err(error) => Reply::Broken(self.broken(&error)),
        }
    }

    /// The layers above the innermost error add only that there is no connection, which is known.
    fn no_connection(&self, error: &(dyn StdError + 'static)) -> String {
        let mut error = error;
        while let Some(source) = error.source() {
            error = source;
        }
        let text = error.to_string();
        let plain = text.contains("corrupt message") || text.contains("InvalidContentType");
        if plain && self.is_https() {
            format!("{text}: this port does not speak TLS, use http://")
        } else if text.contains("UnknownIssuer") && self.is_https() {
            "nobody who is trusted has issued the receiver's certificate: name its authority with --ca, or see --insecure".to_owned()
        } else if text.contains("not valid for name") && self.is_https() {
            format!("the receiver's certificate is for another host, see --insecure: {text}")
        } else if text.contains("certificate") && self.is_https() {
            format!("{text}: see --insecure")
        } else {
            text
        }
    }

    fn broken(&self, error: &(dyn StdError + 'static)) -> String {
        let text = chain(error);
        if text.contains("invalid HTTP version") && !self.is_https() {
            format!("{text}: this port does not speak plain HTTP, use https:// if it is a TLS port")
        } else {
            text
        }
    }

    fn is_https(&self) -> bool {
        self.url.scheme() == Some(&Scheme::HTTPS)
    }
}

impl Transport for HttpTransport {
    async fn send(&self, mut outgoing: Outgoing) -> Reply {
        let (written, on_written) = oneshot::channel();
        outgoing.request.headers_mut().extend(self.headers.clone());
        let request = outgoing
            .request
            .map(|body| PacedBody::new(body, outgoing.pace, written));
        match outgoing.drop_answer {
            None => self.send_and_read(request).await,
            Some(when) => self.send_and_hang_up(request, when, on_written).await,
        }
    }
}

/// The receiver's URL, or that URL with another query.
fn with_query(url: &Uri, query: Option<&str>) -> Uri {
    let Some(query) = query else {
        return url.clone();
    };
    let mut parts = url.clone().into_parts();
    parts.path_and_query = format!("{}?{query}", url.path()).parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| url.clone())
}

async fn read_answer(answer: http::Response<Incoming>) -> Reply {
    let status = answer.status().as_u16();
    let location = answer.headers().get(LOCATION);
    let location = location.map(|location| {
        let text = String::from_utf8_lossy(location.as_bytes());
        text.chars().take(LOCATION_LIMIT).collect()
    });
    let body = match Limited::new(answer.into_body(), ANSWER_LIMIT)
        .collect()
        .await
    {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => String::new(),
        Err(error) => return Reply::Broken(chain(&*error)),
    };
    Reply::Answer {
        status,
        body,
        location,
    }
}
