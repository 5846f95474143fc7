//! The way to the receiver: one request out, what came back in.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::pin;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::{Scheme, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::body::PacedBody;
use super::plan::{DropAnswer, Pace};
use super::verdict::Reply;
use crate::error::{Error, chain};

/// So much of an answer's body is read; a success is one whatever it says.
const ANSWER_LIMIT: usize = 64 * 1024;

/// So much of an answer's body is shown.
const ANSWER_SHOWN: usize = 60;

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

/// Sends requests.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request, once, and says what came back. It may take as long as it likes; the sender
    /// has its own timeout.
    fn send(&self, outgoing: Outgoing) -> impl Future<Output = Reply> + Send;
}

/// HTTP/1.1 over TCP.
#[derive(Debug)]
pub struct HttpTransport {
    client: Client<HttpConnector, PacedBody>,
    url: Uri,
    host: HeaderValue,
    address: (String, u16),
}

impl HttpTransport {
    /// A transport to an `http` URL, which keeps as many idle connections as requests may run at once.
    pub(crate) fn new(url: &str, concurrency: usize) -> Result<Self, Error> {
        let uri: Uri = url
            .parse::<Uri>()
            .map_err(|error| Error::with_source(format!("cannot read the URL {url:?}"), error))?;
        if uri.scheme() == Some(&Scheme::HTTPS) {
            return Err(Error::new(
                "https is not supported: send to the receiver's plain http port, behind the proxy that terminates TLS",
            ));
        }
        let authority = uri
            .authority()
            .filter(|_| uri.scheme() == Some(&Scheme::HTTP));
        let authority = authority.ok_or_else(|| {
            Error::new(format!(
                "{url:?} is no http URL: write for example http://127.0.0.1:3000/zego/record"
            ))
        })?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| {
            Error::with_source(format!("cannot use the host of the URL {url:?}"), error)
        })?;
        let address = (
            authority.host().trim_matches(['[', ']']).to_owned(),
            authority.port_u16().unwrap_or(80),
        );
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(concurrency)
            .build_http();
        Ok(Self {
            client,
            url: uri,
            host,
            address,
        })
    }

    /// The URL that requests are sent to.
    pub fn url(&self) -> &Uri {
        &self.url
    }

    async fn send_and_read(&self, mut request: http::Request<PacedBody>) -> Reply {
        *request.uri_mut() = self.url.clone();
        match self.client.request(request).await {
            Ok(answer) => read_answer(answer).await,
            Err(error) if error.is_connect() => Reply::Unreachable(innermost(&error)),
            Err(error) => Reply::Broken(chain(&error)),
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
        let (host, port) = &self.address;
        let stream = match TcpStream::connect((host.as_str(), *port)).await {
            Ok(stream) => stream,
            Err(error) => return Reply::Unreachable(error.to_string()),
        };
        let (mut sender, connection) = match http1::handshake(TokioIo::new(stream)).await {
            Ok(halves) => halves,
            Err(error) => return Reply::Broken(chain(&error)),
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
            Err(error) => Reply::Broken(chain(&error)),
        }
    }
}

impl Transport for HttpTransport {
    async fn send(&self, outgoing: Outgoing) -> Reply {
        let (written, on_written) = oneshot::channel();
        let request = outgoing
            .request
            .map(|body| PacedBody::new(body, outgoing.pace, written));
        match outgoing.drop_answer {
            None => self.send_and_read(request).await,
            Some(when) => self.send_and_hang_up(request, when, on_written).await,
        }
    }
}

async fn read_answer(answer: http::Response<Incoming>) -> Reply {
    let status = answer.status().as_u16();
    match Limited::new(answer.into_body(), ANSWER_LIMIT)
        .collect()
        .await
    {
        Ok(body) => {
            let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            let body = body.chars().take(ANSWER_SHOWN).collect();
            Reply::Answer { status, body }
        }
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Reply::Answer {
            status,
            body: String::new(),
        },
        Err(error) => Reply::Broken(chain(&*error)),
    }
}

/// The layers above it say only that there is no connection, which is known.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
