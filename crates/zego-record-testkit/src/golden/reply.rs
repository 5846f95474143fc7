//! What an app has done with a request.

use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;

/// The response of an app to a request and, if the test can see it, what its handler was run with.
///
/// A pair of status and body becomes one, and so does an [`http::Response`]; then its headers are
/// compared as well.
///
/// ```
/// use zego_record_testkit::golden::Reply;
///
/// // What the app's handler leaves behind, such as the rows that it has written.
/// #[derive(serde::Serialize)]
/// struct Row { stream_alias: String, replay_url: String }
///
/// fn reply(status: u16, body: String, new_rows: Vec<Row>) -> Reply {
///     Reply::new(status, body).with_handled_fields(new_rows)
/// }
/// # let row = Row { stream_alias: String::new(), replay_url: String::new() };
/// # let _ = (reply(200, "1".to_owned(), vec![row]));
/// ```
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) headers: Option<HeaderMap>,
    pub(super) handled: Handled,
}

/// What is known about the runs of the handler.
#[derive(Clone, Debug)]
pub(super) enum Handled {
    Unknown,
    Count(usize),
    /// The callbacks, with all members or with some.
    Callbacks {
        callbacks: Vec<Value>,
        complete: bool,
    },
}

impl Reply {
    /// A response, and nothing about the handler.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            headers: None,
            handled: Handled::Unknown,
        }
    }

    /// Adds the callbacks for which the handler was run because of this request. They are
    /// [`RecordCallback`](zego_record_core::RecordCallback)s, or anything else that serialises to all of
    /// its members.
    ///
    /// Without this or one of the two functions below, a duplicate looks like a callback that was
    /// handled, since both get the same response, and the parsed fields are not compared.
    ///
    /// # Panics
    ///
    /// If a callback does not serialise to JSON.
    #[must_use]
    pub fn with_handled<I>(self, callbacks: I) -> Self
    where
        I: IntoIterator<Item: Serialize>,
    {
        self.with_callbacks(callbacks, true)
    }

    /// As [`with_handled`](Self::with_handled), but compares only the members that a callback has, such
    /// as the columns of your table. Their names are those of
    /// [`RecordCallback`](zego_record_core::RecordCallback)'s members; others are ignored.
    ///
    /// # Panics
    ///
    /// If a callback does not serialise to JSON.
    #[must_use]
    pub fn with_handled_fields<I>(self, callbacks: I) -> Self
    where
        I: IntoIterator<Item: Serialize>,
    {
        self.with_callbacks(callbacks, false)
    }

    /// Adds only how many times the handler was run because of this request.
    #[must_use]
    pub fn with_handled_count(mut self, runs: usize) -> Self {
        self.handled = Handled::Count(runs);
        self
    }

    fn with_callbacks<I>(mut self, callbacks: I, complete: bool) -> Self
    where
        I: IntoIterator<Item: Serialize>,
    {
        let to_json = |callback| {
            serde_json::to_value(callback)
                .unwrap_or_else(|error| panic!("a callback does not serialise to JSON: {error}"))
        };
        self.handled = Handled::Callbacks {
            callbacks: callbacks.into_iter().map(to_json).collect(),
            complete,
        };
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
