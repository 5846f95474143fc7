//! A row of the golden table, and the requests that it stands for.

use bytes::Bytes;
use http::Method;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use zego_record_core::{UnixSeconds, Verdict};

use super::template::Template;
use crate::content::{HexCase, encode};
use crate::request::{http_request, set_content_type};
use crate::signing::Signing;

/// One rule of the protocol, and the requests that show it.
#[derive(Debug)]
pub struct Case(pub(super) Row);

/// One request of a [`Case`], ready to be sent, and the expected verdict.
#[derive(Clone, Debug)]
pub struct CaseRequest {
    pub(super) method: Method,
    /// Empty for none.
    pub(super) content_type: String,
    body: Bytes,
    verdict: Verdict,
    fields: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    name: String,
    rule: String,
    #[serde(default = "post", deserialize_with = "method")]
    method: Method,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    body: String,
    encode: Option<HexCase>,
    content_type: Option<String>,
    age: Option<i64>,
    timestamp: Option<String>,
    nonce: Option<String>,
    #[serde(default)]
    signing: Signing,
    #[serde(default)]
    reuse_triple: bool,
    #[serde(deserialize_with = "verdict")]
    verdict: Verdict,
    #[serde(default)]
    fields: Map<String, Value>,
}

impl Case {
    /// The case's name, unique in the table.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The rule that it shows, in one sentence.
    pub fn rule(&self) -> &str {
        &self.0.rule
    }

    /// The requests, in the order in which they are to be sent.
    ///
    /// They are signed with `secret`, and fresh for a receiver whose clock shows `now`. Their content
    /// follows from `run`: two runs against one app need two numbers, since the second of two equal
    /// requests is a duplicate.
    ///
    /// # Panics
    ///
    /// If [`CallbackSecret::new`](zego_record_core::CallbackSecret::new) does not take the secret.
    pub fn requests(&self, secret: &str, now: UnixSeconds, run: u64) -> Vec<CaseRequest> {
        let mut template = Template::new(now, fastrand::Rng::with_seed(run ^ hash(&self.0.name)));
        let unique = template.text("{digits:19}");
        template.set("unique", unique);
        let mut first = None;
        let mut requests = Vec::with_capacity(self.0.steps.len());
        for step in &self.0.steps {
            let triple = match (&first, step.reuse_triple) {
                (Some(triple), true) => Triple::clone(triple),
                _ => step.triple(&mut template),
            };
            requests.push(step.request(&self.0.method, &triple, secret, &mut template));
            first.get_or_insert(triple);
        }
        requests
    }
}

impl CaseRequest {
    /// The expected verdict of a receiver that deduplicates and whose handler succeeds.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The expected members of the handler's callback when it is serialised, for a request that is
    /// handled; further members are not compared.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// The body's bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The request, to `/`.
    pub fn to_http(&self) -> http::Request<Bytes> {
        self.to_http_at("/")
    }

    /// The request, to this path.
    ///
    /// # Panics
    ///
    /// If the path is not a valid URI.
    pub fn to_http_at(&self, path: &str) -> http::Request<Bytes> {
        let content_type = Some(self.content_type.as_str()).filter(|text| !text.is_empty());
        let mut request = http_request(self.method.clone(), path, self.body.clone());
        set_content_type(&mut request, content_type);
        request
    }
}

#[derive(Clone)]
struct Triple {
    time: String,
    timestamp: String,
    nonce: String,
}

impl Step {
    fn triple(&self, template: &mut Template) -> Triple {
        let age = self.age.unwrap_or_else(|| template.rng().i64(-240..=240));
        let time = template.text(&format!("{{time:{age}}}"));
        template.set("time", time.as_str());
        let timestamp = template.text(self.timestamp.as_deref().unwrap_or("{time}"));
        let nonce = match &self.nonce {
            Some(nonce) => template.text(nonce),
            None => self.signing.nonce(template.rng()),
        };
        Triple {
            time,
            timestamp,
            nonce,
        }
    }

    fn request(
        &self,
        method: &Method,
        triple: &Triple,
        secret: &str,
        template: &mut Template,
    ) -> CaseRequest {
        let signature = self
            .signing
            .signature(secret, &triple.timestamp, &triple.nonce);
        template.set("time", triple.time.as_str());
        template.set("timestamp", triple.timestamp.as_str());
        template.set("nonce", triple.nonce.as_str());
        template.set("signature", signature.unwrap_or_default());
        let mut body = template.bytes(&self.body);
        let looks_like_json = body.starts_with(b"{");
        if let Some(case) = self.encode {
            body = encode(&body, case).into_bytes();
        }
        let content_type = match &self.content_type {
            Some(content_type) => content_type,
            None if looks_like_json => "application/json",
            None => "application/x-www-form-urlencoded",
        };
        let fields = self.fields.iter().map(|(name, value)| {
            let value = match value {
                Value::String(text) => {
                    let text = template.text(text);
                    match text.parse::<i64>() {
                        Ok(integer) if name == "timestamp" => Value::from(integer),
                        _ => Value::from(text),
                    }
                }
                other => other.clone(),
            };
            (name.clone(), value)
        });
        CaseRequest {
            method: method.clone(),
            content_type: content_type.to_owned(),
            fields: fields.collect(),
            body: body.into(),
            verdict: self.verdict,
        }
    }
}

fn post() -> Method {
    Method::POST
}

fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(D::Error::custom)
}

fn verdict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Verdict, D::Error> {
    let code = String::deserialize(deserializer)?;
    let verdict = Verdict::ALL
        .iter()
        .copied()
        .find(|verdict| verdict.code() == code);
    verdict.ok_or_else(|| D::Error::custom(format!("no verdict has the code {code:?}")))
}

/// FNV-1a: the same in every run and on every machine.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
