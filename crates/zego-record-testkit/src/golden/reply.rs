//! What an app has done with a request.

use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;

/// What an app has answered to a request and, if the test can see it, what its handler was run with.
///
/// A pair of status and body becomes one, and so does an [`http::Response`]; then its headers are
/// compared as well.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) headers: Option<HeaderMap>,
    pub(super) handled: Option<Vec<Value>>,
}

impl Reply {
    /// An answer, and nothing about the handler.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            headers: None,
            handled: None,
        }
    }

    /// Adds the callbacks for which the handler was run because of this request. They are
    /// [`RecordCallback`](zego_record_core::RecordCallback)s, or anything else that serialises to
    /// members of the same names.
    ///
    /// Without them a duplicate cannot be told from a callback that was handled, since both are
    /// answered alike, and the parsed fields are not compared.
    ///
    /// # Panics
    ///
    /// If a callback does not serialise to JSON.
    #[must_use]
    pub fn with_handled<I>(mut self, callbacks: I) -> Self
    where
        I: IntoIterator<Item: Serialize>,
    {
        let to_json = |callback| {
            serde_json::to_value(callback)
                .unwrap_or_else(|error| panic!("a handled callback is no JSON: {error}"))
        };
        self.handled = Some(callbacks.into_iter().map(to_json).collect());
        self
    }
}

impl<B: Into<Vec<u8>>> From<(u16, B)> for Reply {
    fn from((status, body): (u16, B)) -> Self {
        Self::new(status, body)
    }
}

impl<B: Into<Vec<u8>>> From<http::Response<B>> for Reply {
    fn from(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            headers: Some(parts.headers),
            ..Self::new(parts.status.as_u16(), body)
        }
    }
}
