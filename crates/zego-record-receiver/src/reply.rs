//! From a verdict to a response.

use std::fmt;

use bytes::Bytes;
use zego_record_core::Verdict;

use crate::panics::catch;

/// A response, for an adapter to convert into its framework's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    verdict: Verdict,
    body: RejectionBody,
}

impl Reply {
    /// What happened. Adapters put it into the response's extensions.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.verdict.status()
    }

    /// The value of the header `Content-Type`.
    pub fn content_type(&self) -> &'static str {
        self.body.content_type
    }

    /// The value of the header `Allow`, if there is one.
    pub fn allow(&self) -> Option<&'static str> {
        self.verdict.allow()
    }

    /// The whole body.
    pub fn body(&self) -> &Bytes {
        &self.body.bytes
    }
}

/// `1`, or the verdict's code.
impl From<Verdict> for Reply {
    fn from(verdict: Verdict) -> Self {
        let body = RejectionBody::new(verdict.content_type(), verdict.body());
        Self { verdict, body }
    }
}

/// Another body for what is not answered with `1`, see
/// [`ReceiverBuilder::rejection_body`](crate::ReceiverBuilder::rejection_body).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectionBody {
    content_type: &'static str,
    bytes: Bytes,
}

impl RejectionBody {
    /// A body of any type. A `content_type` that is no header value is replaced by
    /// `application/octet-stream`.
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let is_visible = |byte: u8| (0x20..0x7f).contains(&byte);
        Self {
            content_type: if content_type.bytes().all(is_visible) {
                content_type
            } else {
                "application/octet-stream"
            },
            bytes: body.into(),
        }
    }

    /// A body that is JSON.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::new("application/json", body)
    }
}

/// What the bodies of rejections look like.
#[derive(Default)]
pub(crate) struct Replies(pub(crate) Option<Box<dyn Fn(Verdict) -> RejectionBody + Send + Sync>>);

impl Replies {
    pub(crate) fn reply(&self, verdict: Verdict) -> Reply {
        let custom = self.0.as_ref().filter(|_| !verdict.is_success());
        match custom.and_then(|custom| catch(|| custom(verdict))) {
            Some(body) => Reply { verdict, body },
            None => verdict.into(),
        }
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.0.is_some() { "custom" } else { "codes" };
        f.write_str(name)
    }
}
