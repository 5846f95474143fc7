//! The app behind `listen`: genuine requests are passed on to it as they came.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use tokio::time::timeout;

use crate::error::Error;
use crate::headers::end_to_end;
use crate::send::{HttpTransport, Outgoing, Reply, Transport};
use crate::tls::TlsArgs;

/// Below the eight seconds that the receiver gives a handler, so that the reason is known.
const PATIENCE: Duration = Duration::from_millis(7_500);

#[derive(Debug)]
pub(super) struct Forward {
    transport: HttpTransport,
}

impl Forward {
    pub(super) fn new(url: &str, tls: &TlsArgs) -> Result<Self, Error> {
        let transport = HttpTransport::new(url, 8, tls)?;
        Ok(Self { transport })
    }

    /// Sends the body and the headers, unchanged but for what belongs to a connection.
    pub(super) async fn send(&self, parts: &Parts, body: Bytes) -> Reply {
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.headers_mut() = end_to_end(&parts.headers);
        let sending = self.transport.send(Outgoing::new(request));
        timeout(PATIENCE, sending).await.unwrap_or(Reply::TimedOut)
    }
}
