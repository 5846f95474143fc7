//! Requests as ZEGOCLOUD sends them, and as it never would.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use zego_record_core::{UnixSeconds, Vendor, WireForm};

use crate::content::{self, Fields, Value};
use crate::signing::Signing;

/// Builds callback requests for tests.
///
/// By default it is a `record` event of Tencent's as JSON with strings, with the right signature, fresh,
/// and with a random nonce of 19 digits. The content is always the same: for two deliveries, set a
/// different `stream_alias`, for example.
///
/// ```
/// use zego_record_core::{CallbackSecret, UnixSeconds, Vendor, Verdict, Verifier, WireForm};
/// use zego_record_testkit::{RequestBuilder, Signing};
///
/// let now = UnixSeconds::new(1_760_001_900);
/// let verifier = Verifier::builder().secret(CallbackSecret::new("secret")?).build()?;
///
/// let request = RequestBuilder::new("secret", now)
///     .vendor(Vendor::Huawei)
///     .wire_form(WireForm::Form)
///     .field("stream_alias", "lesson 8");
/// assert!(verifier.verify(request.build().body(), now).is_ok());
///
/// let forged = request.signing(Signing::OtherSecret).build();
/// assert_eq!(verifier.verify(forged.body(), now).unwrap_err().verdict(), Verdict::BadSignature);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before build()"]
pub struct RequestBuilder {
    secret: Secret,
    now: UnixSeconds,
    age: i64,
    timestamp: Option<String>,
    nonce: Option<String>,
    signing: Signing,
    vendor: Option<Vendor>,
    wire_form: WireForm,
    numbers: bool,
    extra_params_as_object: bool,
    edits: Vec<Edit>,
    content_type: Option<Option<String>>,
    path: String,
    nonces: Nonces,
}

/// A request that a [`RequestBuilder`] has built.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    builder: RequestBuilder,
    triple: Triple,
    body: Bytes,
}

#[derive(Clone, Debug)]
struct Triple {
    timestamp: String,
    nonce: String,
    signature: Option<String>,
}

#[derive(Clone, Debug)]
enum Edit {
    Set(String, Value),
    Add(String, Value),
    Remove(String),
}

impl RequestBuilder {
    /// Starts a request that is signed with `secret` at the time `now`.
    pub fn new(secret: impl Into<String>, now: UnixSeconds) -> Self {
        Self {
            secret: Secret(secret.into()),
            now,
            age: 0,
            timestamp: None,
            nonce: None,
            signing: Signing::Right,
            vendor: Some(Vendor::Tencent),
            wire_form: WireForm::Json,
            numbers: false,
            extra_params_as_object: false,
            edits: Vec::new(),
            content_type: None,
            path: "/".to_owned(),
            nonces: Nonces::new(fastrand::u64(..)),
        }
    }

    /// Whose `extra_params` are sent; with `None` (as from Aliyun) there are none.
    pub fn vendor(mut self, vendor: impl Into<Option<Vendor>>) -> Self {
        self.vendor = vendor.into();
        self
    }

    /// JSON, a form, or JSON that is percent-encoded as a whole.
    pub fn wire_form(mut self, wire_form: WireForm) -> Self {
        self.wire_form = wire_form;
        self
    }

    /// Sends integers as JSON numbers instead of strings; a form has no such difference.
    pub fn numbers(mut self) -> Self {
        self.numbers = true;
        self
    }

    /// Sends `extra_params` as a JSON object instead of a string that holds one; a form has no such
    /// difference.
    pub fn extra_params_as_object(mut self) -> Self {
        self.extra_params_as_object = true;
        self
    }

    /// Sets a field, known or not, to a string.
    ///
    /// Changes of fields are made in the order of the calls and after signing, so they can contradict
    /// what was signed; [`timestamp`](Self::timestamp) and [`nonce`](Self::nonce) change that as well.
    pub fn field(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.edits
            .push(Edit::Set(name.into(), Value::Text(text.into())));
        self
    }

    /// Sets a field to this JSON: a number, `null`, an array, or something invalid. In a
    /// form `null` leaves the field out, and a string loses its quotes.
    pub fn field_json(mut self, name: impl Into<String>, json: impl Into<String>) -> Self {
        self.edits
            .push(Edit::Set(name.into(), Value::Json(json.into())));
        self
    }

    /// Adds a field, even if there is one of this name.
    pub fn add_field(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.edits
            .push(Edit::Add(name.into(), Value::Text(text.into())));
        self
    }

    /// Adds a field with this JSON, even if there is one of this name.
    pub fn add_field_json(mut self, name: impl Into<String>, json: impl Into<String>) -> Self {
        self.edits
            .push(Edit::Add(name.into(), Value::Json(json.into())));
        self
    }

    /// Leaves a field out.
    pub fn without(mut self, name: impl Into<String>) -> Self {
        self.edits.push(Edit::Remove(name.into()));
        self
    }

    /// How many seconds before now the timestamp is; negative for one that is ahead.
    pub fn age(mut self, seconds: i64) -> Self {
        self.age = seconds;
        self.timestamp = None;
        self
    }

    /// Signs and sends this string as the timestamp, whatever it is.
    pub fn timestamp(mut self, text: impl Into<String>) -> Self {
        self.timestamp = Some(text.into());
        self
    }

    /// Signs and sends this string as the nonce, whatever it is.
    pub fn nonce(mut self, text: impl Into<String>) -> Self {
        self.nonce = Some(text.into());
        self
    }

    /// Signs correctly, or with a mistake of your choice.
    pub fn signing(mut self, signing: Signing) -> Self {
        self.signing = signing;
        self
    }

    /// Draws the nonces from this seed, so that every run has the same ones. Without a seed they
    /// are different in every run.
    pub fn seed(mut self, seed: u64) -> Self {
        self.nonces = Nonces::new(seed);
        self
    }

    /// Sends this Content-Type, or none, instead of the one that fits the wire form.
    pub fn content_type<'a>(mut self, content_type: impl Into<Option<&'a str>>) -> Self {
        self.content_type = Some(content_type.into().map(str::to_owned));
        self
    }

    /// Sends the request to this path, such as `/zego/record`, instead of `/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Builds a request. Each call draws a nonce of its own, unless the nonce was set.
    ///
    /// # Panics
    ///
    /// If the secret is empty or holds white space, or if a signature that is to be wrong is right
    /// for the nonce that was set.
    pub fn build(&self) -> SignedRequest {
        let seconds = self.now.get().saturating_sub(self.age);
        let timestamp = self
            .timestamp
            .clone()
            .unwrap_or_else(|| seconds.to_string());
        let nonce = self
            .nonce
            .clone()
            .unwrap_or_else(|| self.nonces.next(self.signing));
        let sign = |signing: Signing| signing.signature(&self.secret.0, &timestamp, &nonce);
        let signature = sign(self.signing);
        assert!(
            !matches!(self.signing, Signing::NumericSort | Signing::NoSort)
                || signature != sign(Signing::Right),
            "{:?} gives the right signature for the nonce {nonce:?}: choose another nonce",
            self.signing
        );
        self.with_triple(Triple {
            timestamp,
            nonce,
            signature,
        })
    }

    fn with_triple(&self, triple: Triple) -> SignedRequest {
        let mut fields = content::recording(self.vendor);
        let signed = [
            ("timestamp", Some(&triple.timestamp)),
            ("nonce", Some(&triple.nonce)),
            ("signature", triple.signature.as_ref()),
        ];
        for (name, text) in signed {
            fields.extend(text.map(|text| (name.to_owned(), Value::Text(text.clone()))));
        }
        self.edits.iter().for_each(|edit| edit.apply(&mut fields));
        if self.numbers {
            content::integers_to_numbers(&mut fields);
        }
        if self.extra_params_as_object {
            content::extra_params_to_object(&mut fields);
        }
        SignedRequest {
            builder: self.clone(),
            triple,
            body: content::write(&fields, self.wire_form).into(),
        }
    }
}

impl SignedRequest {
    /// The body's bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The Content-Type, if one is sent.
    pub fn content_type(&self) -> Option<&str> {
        match &self.builder.content_type {
            Some(chosen) => chosen.as_deref(),
            None if self.builder.wire_form == WireForm::Form => {
                Some("application/x-www-form-urlencoded")
            }
            None => Some("application/json"),
        }
    }

    /// The timestamp that was signed.
    pub fn timestamp(&self) -> &str {
        &self.triple.timestamp
    }

    /// The nonce that was signed.
    pub fn nonce(&self) -> &str {
        &self.triple.nonce
    }

    /// The signature, unless the request is unsigned.
    pub fn signature(&self) -> Option<&str> {
        self.triple.signature.as_deref()
    }

    /// The same content with a fresh timestamp and nonce, as a retry may carry them.
    ///
    /// # Panics
    ///
    /// As [`RequestBuilder::build`].
    #[must_use]
    pub fn resigned(&self, now: UnixSeconds) -> Self {
        let builder = RequestBuilder {
            now,
            age: 0,
            timestamp: None,
            nonce: None,
            ..self.builder.clone()
        };
        builder.build()
    }

    /// Other content under the same timestamp, nonce and signature, as somebody who has seen this
    /// request can send it. Only what is sent can be changed, not what was signed.
    #[must_use]
    pub fn tampered(&self, edit: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        edit(self.builder.clone()).with_triple(self.triple.clone())
    }

    /// A `POST` to `/`, or to the [`path`](RequestBuilder::path) that was set.
    ///
    /// # Panics
    ///
    /// If the Content-Type that was set is not a valid header value, or the path not a valid URI.
    pub fn into_http(self) -> http::Request<Bytes> {
        let mut request = http_request(Method::POST, &self.builder.path, self.body.clone());
        set_content_type(&mut request, self.content_type());
        request
    }
}

pub(crate) fn http_request(method: Method, path: &str, body: Bytes) -> http::Request<Bytes> {
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = path
        .parse()
        .unwrap_or_else(|error| panic!("the path {path:?} is not a valid URI: {error}"));
    request
}

pub(crate) fn set_content_type(request: &mut http::Request<Bytes>, content_type: Option<&str>) {
    if let Some(text) = content_type {
        let value = HeaderValue::from_str(text)
            .unwrap_or_else(|_| panic!("the Content-Type {text:?} is not a valid header value"));
        request.headers_mut().insert(CONTENT_TYPE, value);
    }
}

impl Edit {
    fn apply(&self, fields: &mut Fields) {
        match self {
            Self::Set(name, value) => match fields.iter_mut().find(|field| field.0 == *name) {
                Some(field) => field.1 = value.clone(),
                None => fields.push((name.clone(), value.clone())),
            },
            Self::Add(name, value) => fields.push((name.clone(), value.clone())),
            Self::Remove(name) => fields.retain(|field| field.0 != *name),
        }
    }
}

#[derive(Clone)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Nonces that follow from a seed. Clones draw from the same sequence, so no two requests of one
/// builder share a nonce.
#[derive(Clone, Debug)]
struct Nonces {
    seed: u64,
    drawn: Arc<AtomicU64>,
}

impl Nonces {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: Arc::default(),
        }
    }

    fn next(&self, signing: Signing) -> String {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        signing.nonce(&mut fastrand::Rng::with_seed(self.seed.wrapping_add(drawn)))
    }
}
