//! Verified callbacks, as a handler gets them.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::extra_params::{ExtraParams, VendorParams};
use crate::field::Field;
use crate::identity::{Content, DeliveryKey};
use crate::rejection::{Invalid, Reason, Rejection};
use crate::signature::Signature;
use crate::time::UnixSeconds;
use crate::wire::Document;

/// A `record` callback whose signature is right and fresh: a stream was recorded.
///
/// It is created by [`Verifier`](crate::Verifier), or by [`restore_trusted`](Self::restore_trusted) from
/// what a store has kept. The check is about the origin and not about the content: ZEGOCLOUD's signature
/// does not cover the body, so whoever has captured one signed request can send another body under the same
/// signature while it is fresh. Treat the content, above all the playback URL, as input that a stranger may
/// have written.
///
/// Cloning is cheap.
///
/// There is no other way to make one, not even for a test:
///
/// ```compile_fail
/// let callback = zego_record_core::RecordCallback::new();
/// ```
///
/// ```compile_fail
/// let callback = zego_record_core::RecordCallback::default();
/// ```
///
/// ```compile_fail
/// let callback: zego_record_core::RecordCallback = serde_json::from_str("{}").unwrap();
/// ```
#[derive(Clone)]
pub struct RecordCallback(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) appid: String,
    pub(crate) stream_alias: String,
    pub(crate) replay_url: String,
    pub(crate) begin_time: UnixSeconds,
    pub(crate) end_time: UnixSeconds,
    pub(crate) timestamp: UnixSeconds,
    pub(crate) nonce: String,
    /// `None` if it was restored.
    pub(crate) signature: Option<Signature>,
    pub(crate) secret_index: usize,
    pub(crate) extra_params: ExtraParams,
    pub(crate) others: Vec<(String, String)>,
    pub(crate) key: OnceLock<DeliveryKey>,
}

/// What was signed, and with what.
pub(crate) struct Origin {
    pub(crate) timestamp: UnixSeconds,
    pub(crate) nonce: String,
    pub(crate) signature: Signature,
    pub(crate) secret_index: usize,
}

impl RecordCallback {
    /// The AppID of the project, usually a 32-bit number.
    pub fn appid(&self) -> &str {
        &self.0.appid
    }

    /// The stream's name, the `StreamID` that the client has published under. Several callbacks share
    /// it: one for each file format and segment, and one after each interruption.
    pub fn stream_alias(&self) -> &str {
        &self.0.stream_alias
    }

    /// Where the recording can be played. Check where it leads before you fetch it; a
    /// [`ReplayUrlPolicy`](crate::ReplayUrlPolicy) does that for every callback.
    pub fn replay_url(&self) -> &str {
        &self.0.replay_url
    }

    /// When the recording began.
    pub fn begin_time(&self) -> UnixSeconds {
        self.0.begin_time
    }

    /// When the recording ended.
    pub fn end_time(&self) -> UnixSeconds {
        self.0.end_time
    }

    /// ZEGOCLOUD's clock when it signed.
    pub fn timestamp(&self) -> UnixSeconds {
        self.0.timestamp
    }

    /// The random string that was signed with the timestamp. It does not identify a callback.
    pub fn nonce(&self) -> &str {
        &self.0.nonce
    }

    /// What the CDN vendor adds about the file.
    pub fn extra_params(&self) -> &ExtraParams {
        &self.0.extra_params
    }

    /// The fields that the protocol does not define, as pairs of name and value, in the order in which
    /// they were sent. The value of a JSON array or object is its JSON.
    pub fn other_fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .others
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The signature, which identifies the signed request; `None` if the callback was restored from a
    /// store, which does not keep it.
    pub fn signature(&self) -> Option<Signature> {
        self.0.signature
    }

    /// Which secret has matched, counted from 0 in the order in which the verifier got them (for a
    /// restored callback, the verifier of that time). When no new callback matches the old secret any
    /// more, it can be removed.
    pub fn secret_index(&self) -> usize {
        self.0.secret_index
    }

    /// The recorded file, for logs and for people: the AppID with Tencent's FileID, with Huawei's
    /// ObsObject, with Wangsu's PersistentId and the playback URL, or with the playback URL alone.
    ///
    /// | | |
    /// |---|---|
    /// | Tencent | `1:file:5285890813218549789` |
    /// | Huawei | `1:object:record/app/x/1.mp4` |
    /// | Wangsu | `1:persistent:app-x--20230728181527.mp4:https://vod.example.com/1.mp4` |
    /// | otherwise | `1:url:https://vod.example.com/1.mp4` |
    ///
    /// TaskId and PersistentId alone identify nothing, since several files share them. In every part but
    /// the last, `:` is written as `%3A` and `%` as `%25`, so two different files never have one event id.
    ///
    /// This is not an idempotency key. ZEGOCLOUD's signature does not cover the body, so whoever has
    /// captured one signed request can send a callback with an event id of their choice before the genuine
    /// one arrives, and a database that ignores a second row of the same event id would drop the genuine
    /// callback. For deduplication put the unique column on [`delivery_key`](Self::delivery_key), and keep
    /// the event id beside it in a column that is not unique.
    pub fn event_id(&self) -> String {
        let (appid, url) = (part(self.appid()), self.replay_url());
        match self.extra_params().params() {
            VendorParams::Tencent {
                file_id: Some(file),
                ..
            } if !file.is_empty() => format!("{appid}:file:{file}"),
            VendorParams::Huawei {
                obs_object: Some(object),
                ..
            } if !object.is_empty() => format!("{appid}:object:{object}"),
            VendorParams::Wangsu { persistent_id } => {
                format!("{appid}:persistent:{}:{url}", part(persistent_id))
            }
            VendorParams::Tencent { .. }
            | VendorParams::Huawei { .. }
            | VendorParams::Unrecognised => format!("{appid}:url:{url}"),
        }
    }

    /// The delivery key: the idempotency key of this callback. It is equal for a retry and different for
    /// another file, or for the same file with other content.
    ///
    /// For deduplication in your own database, put a unique column on the delivery key alone, and write
    /// the row in the transaction that does the work. If a second callback with the same
    /// [`event_id`](Self::event_id) has another delivery key (the receiver then reports the delivery as
    /// changed), keep both rows and have somebody look at them: either ZEGOCLOUD has corrected the
    /// recording, or one of the two is forged, and nothing in the callback tells which.
    ///
    /// It is SHA-256 over everything that the callback says, computed once.
    pub fn delivery_key(&self) -> DeliveryKey {
        *self.0.key.get_or_init(|| self.0.delivery_key())
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    pub(crate) fn from_parts(parts: Arc<Parts>) -> Self {
        Self(parts)
    }

    /// Takes a `record` event whose origin is certain, or says what it lacks.
    pub(crate) fn new(
        document: &Document<'_>,
        origin: Origin,
        key: OnceLock<DeliveryKey>,
    ) -> Result<Self, Rejection> {
        let required = |field| match document.get(field) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(Rejection::new(Reason::Invalid(field, Invalid::Missing))),
        };
        let appid = required(Field::Appid)?.into_owned();
        let stream_alias = required(Field::StreamAlias)?.into_owned();
        let replay_url = required(Field::ReplayUrl)?.into_owned();
        let time = |field| {
            UnixSeconds::parse(&required(field)?)
                .ok_or_else(|| Rejection::new(Reason::Invalid(field, Invalid::NoInteger)))
        };
        let begin_time = time(Field::BeginTime)?;
        let end_time = time(Field::EndTime)?;
        let extra_params = document.get(Field::ExtraParams).map(Cow::into_owned);
        let extra_params = ExtraParams::new(extra_params);
        let others = owned(document.others());
        Ok(Self(Arc::new(Parts {
            appid,
            stream_alias,
            replay_url,
            begin_time,
            end_time,
            timestamp: origin.timestamp,
            nonce: origin.nonce,
            signature: Some(origin.signature),
            secret_index: origin.secret_index,
            extra_params,
            others,
            key,
        })))
    }
}

impl Parts {
    fn delivery_key(&self) -> DeliveryKey {
        let content = |field| {
            Some(match field {
                Field::Appid => Content::Text(Cow::Borrowed(&self.appid)),
                Field::BeginTime => Content::Time(self.begin_time),
                Field::EndTime => Content::Time(self.end_time),
                Field::Event => Content::Text(Cow::Borrowed("record")),
                Field::ReplayUrl => Content::Text(Cow::Borrowed(&self.replay_url)),
                Field::StreamAlias => Content::Text(Cow::Borrowed(&self.stream_alias)),
                Field::ExtraParams => {
                    // Empty and absent mean the same here: a form has no other way to say null.
                    let text = self.extra_params.text().filter(|text| !text.is_empty())?;
                    Content::TextOrJson(Cow::Borrowed(text))
                }
                Field::Nonce | Field::Signature | Field::Timestamp => return None,
            })
        };
        let others = self.others.iter();
        let others = others.map(|(name, text)| (Cow::Borrowed(&**name), Cow::Borrowed(&**text)));
        DeliveryKey::of(1024, content, others)
    }
}

/// Serialises everything that a handler may want to keep, except the signature.
impl Serialize for RecordCallback {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let extra_params = self.extra_params();
        let mut record = serializer.serialize_struct("RecordCallback", 16)?;
        record.serialize_field("event_id", &self.event_id())?;
        record.serialize_field("delivery_key", &self.delivery_key())?;
        record.serialize_field("appid", self.appid())?;
        record.serialize_field("stream_alias", self.stream_alias())?;
        record.serialize_field("replay_url", self.replay_url())?;
        record.serialize_field("begin_time", &self.begin_time())?;
        record.serialize_field("end_time", &self.end_time())?;
        record.serialize_field("timestamp", &self.timestamp())?;
        record.serialize_field("nonce", self.nonce())?;
        record.serialize_field("vendor", &extra_params.vendor())?;
        record.serialize_field("task_id", &extra_params.task_id())?;
        record.serialize_field("file_id", &extra_params.file_id())?;
        record.serialize_field(
            "duration",
            &extra_params
                .duration()
                .map(|duration| duration.as_secs_f64()),
        )?;
        record.serialize_field("file_size", &extra_params.file_size())?;
        record.serialize_field("extra_params", &extra_params.text())?;
        record.serialize_field("other_fields", &self.0.others)?;
        record.end()
    }
}

impl fmt::Debug for RecordCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordCallback")
            .field("appid", &self.appid())
            .field("stream_alias", &self.stream_alias())
            .field("replay_url", &self.replay_url())
            .field("begin_time", &self.begin_time())
            .field("end_time", &self.end_time())
            .field("extra_params", self.extra_params())
            .field("other_fields", &self.0.others)
            .finish_non_exhaustive()
    }
}

/// A signed and fresh callback of another event than `record`, such as `compose` or `stream_close`.
///
/// It has other fields and is not passed to a handler; it can be counted and logged.
#[derive(Clone, Debug)]
pub struct OtherEvent {
    name: String,
    fields: Vec<(String, String)>,
}

impl OtherEvent {
    /// The value of the field `event`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All other fields as pairs of name and value, except timestamp, nonce and signature.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn new(name: String, document: &Document<'_>) -> Self {
        let documented = [
            Field::Appid,
            Field::StreamAlias,
            Field::ReplayUrl,
            Field::BeginTime,
            Field::EndTime,
            Field::ExtraParams,
        ];
        let documented = documented.into_iter().filter_map(|field| {
            let text = document.get(field)?;
            Some((Cow::Borrowed(field.name()), text))
        });
        Self {
            name,
            fields: owned(documented.chain(document.others())),
        }
    }
}

/// Serialises the name, and the fields as pairs, since a name may repeat.
impl Serialize for OtherEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("OtherEvent", 2)?;
        event.serialize_field("event", &self.name)?;
        event.serialize_field("fields", &self.fields)?;
        event.end()
    }
}

/// A part of an event id that another part follows.
fn part(text: &str) -> String {
    text.replace('%', "%25").replace(':', "%3A")
}

fn owned<'a>(fields: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Vec<(String, String)> {
    fields
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
