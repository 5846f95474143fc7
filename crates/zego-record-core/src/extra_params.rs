//! `extra_params`: what the CDN vendor says about the recorded file.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::wire::{Value, has_control_character, read_object};

/// The field `extra_params`: what the CDN vendor adds to a callback.
///
/// ZEGOCLOUD sends JSON inside a string, with members that depend on the vendor. If the string is not a
/// JSON object, or contains a documented member twice, no vendor is recognised and the typed accessors
/// return `None`; the callback is accepted all the same. [`text`](Self::text) always returns the whole
/// string, including members that are not documented.
///
/// The string is parsed when a typed accessor is called for the first time.
#[derive(Clone)]
pub struct ExtraParams {
    text: Option<String>,
    typed: OnceLock<Typed>,
}

/// The members that only one vendor sends.
///
/// The enum and its variants are `non_exhaustive`, since ZEGOCLOUD adds vendors and members over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VendorParams {
    /// Tencent Cloud.
    #[non_exhaustive]
    Tencent {
        /// `TaskId`: the recording task, shared by all files of one recording; may be empty.
        task_id: Option<String>,
        /// `FileID` (or `FileId`): the recorded file, 19 digits.
        file_id: Option<String>,
    },
    /// Wangsu, "Ws" in the console.
    #[non_exhaustive]
    Wangsu {
        /// `PersistentId`: 36 hexadecimal digits or the name of a file. Files may share it.
        persistent_id: String,
    },
    /// Huawei Cloud.
    #[non_exhaustive]
    Huawei {
        /// `ObsObject`: the path of the file in the object store.
        obs_object: Option<String>,
        /// `FileSize`, in bytes.
        file_size: Option<u64>,
    },
    /// No vendor is recognised: `extra_params` is absent or not readable, or comes from a vendor
    /// without documented members (Aliyun).
    #[default]
    Unrecognised,
}

/// A CDN vendor with documented `extra_params`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Vendor {
    /// Tencent Cloud.
    Tencent,
    /// Wangsu.
    Wangsu,
    /// Huawei Cloud.
    Huawei,
}

impl Vendor {
    /// The vendor's name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tencent => "tencent",
            Self::Wangsu => "wangsu",
            Self::Huawei => "huawei",
        }
    }
}

impl ExtraParams {
    /// The whole string, decoded from the wire form; `None` if the field is absent.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The vendor, recognised by the members that only it sends.
    pub fn vendor(&self) -> Option<Vendor> {
        match self.params() {
            VendorParams::Tencent { .. } => Some(Vendor::Tencent),
            VendorParams::Wangsu { .. } => Some(Vendor::Wangsu),
            VendorParams::Huawei { .. } => Some(Vendor::Huawei),
            VendorParams::Unrecognised => None,
        }
    }

    /// The members that only this vendor sends.
    pub fn params(&self) -> &VendorParams {
        &self.typed().vendor
    }

    /// Tencent's recording task.
    pub fn task_id(&self) -> Option<&str> {
        match self.params() {
            VendorParams::Tencent { task_id, .. } => task_id.as_deref(),
            _ => None,
        }
    }

    /// The vendor's name for the file: `FileID` (Tencent), `PersistentId` (Wangsu) or `ObsObject`
    /// (Huawei).
    pub fn file_id(&self) -> Option<&str> {
        match self.params() {
            VendorParams::Tencent { file_id, .. } => file_id.as_deref(),
            VendorParams::Wangsu { persistent_id } => Some(persistent_id),
            VendorParams::Huawei { obs_object, .. } => obs_object.as_deref(),
            VendorParams::Unrecognised => None,
        }
    }

    /// The size of the file in bytes; Huawei alone sends it.
    pub fn file_size(&self) -> Option<u64> {
        match self.params() {
            VendorParams::Huawei { file_size, .. } => *file_size,
            _ => None,
        }
    }

    /// The length of the recording; `None` if it is absent, negative or not a number.
    pub fn duration(&self) -> Option<Duration> {
        let seconds = self.duration_text()?.parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// The length of the recording in seconds, with exactly the digits that were sent.
    pub fn duration_text(&self) -> Option<&str> {
        self.typed().duration.as_deref()
    }

    pub(crate) fn new(text: Option<String>) -> Self {
        Self {
            text,
            typed: OnceLock::new(),
        }
    }

    fn typed(&self) -> &Typed {
        self.typed
            .get_or_init(|| self.text().map(Typed::read).unwrap_or_default())
    }
}

/// Compares the whole strings.
impl PartialEq for ExtraParams {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ExtraParams {}

impl fmt::Debug for ExtraParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtraParams")
            .field("text", &self.text())
            .field("vendor", self.params())
            .field("duration", &self.duration_text())
            .finish()
    }
}

/// Serialises as the name.
impl Serialize for Vendor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Serialises with the same members for every vendor, null where it sends none; `duration` is in seconds,
/// `file_size` in bytes.
impl Serialize for ExtraParams {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut params = serializer.serialize_struct("ExtraParams", 6)?;
        params.serialize_field("vendor", &self.vendor())?;
        params.serialize_field("task_id", &self.task_id())?;
        params.serialize_field("file_id", &self.file_id())?;
        let seconds = self.duration().map(|duration| duration.as_secs_f64());
        params.serialize_field("duration", &seconds)?;
        params.serialize_field("file_size", &self.file_size())?;
        params.serialize_field("text", &self.text())?;
        params.end()
    }
}

/// What is documented of a text.
#[derive(Clone, Default)]
struct Typed {
    vendor: VendorParams,
    duration: Option<String>,
}

impl Typed {
    fn read(text: &str) -> Self {
        let members = Members::read(text).unwrap_or_default();
        let own = |member: Option<Cow<'_, str>>| member.map(Cow::into_owned);
        let tencent = members.task_id.is_some() || members.file_id.is_some();
        let huawei = members.obs_object.is_some() || members.file_size.is_some();
        let vendor = match (tencent, members.persistent_id, huawei) {
            (true, None, false) => VendorParams::Tencent {
                task_id: own(members.task_id),
                file_id: own(members.file_id),
            },
            (false, Some(id), false) => VendorParams::Wangsu {
                persistent_id: id.into_owned(),
            },
            (false, None, true) => VendorParams::Huawei {
                obs_object: own(members.obs_object),
                file_size: members.file_size.and_then(|size| parse_size(&size)),
            },
            _ => VendorParams::Unrecognised,
        };
        let duration = own(members.duration);
        Self { vendor, duration }
    }
}

#[derive(Default)]
struct Members<'a> {
    duration: Option<Cow<'a, str>>,
    task_id: Option<Cow<'a, str>>,
    file_id: Option<Cow<'a, str>>,
    persistent_id: Option<Cow<'a, str>>,
    obs_object: Option<Cow<'a, str>>,
    file_size: Option<Cow<'a, str>>,
}

impl<'a> Members<'a> {
    /// `None` if the text is no JSON object, or if what a documented member says is not clear.
    fn read(text: &'a str) -> Option<Self> {
        let mut members = Self::default();
        let mut unclear = false;
        let read = read_object(text, |name, value| {
            let Some(member) = members.by_name(&name.decode(text)) else {
                return Ok(());
            };
            match value.scalar_text(text) {
                Some(text) if !has_control_character(&text) => {
                    unclear |= member.replace(text).is_some();
                }
                text => unclear |= text.is_some() || value != Value::Null,
            }
            Ok(())
        });
        (read.is_ok() && !unclear).then_some(members)
    }

    fn by_name(&mut self, name: &str) -> Option<&mut Option<Cow<'a, str>>> {
        Some(match name {
            "Duration" => &mut self.duration,
            "TaskId" => &mut self.task_id,
            "FileID" | "FileId" => &mut self.file_id,
            "PersistentId" => &mut self.persistent_id,
            "ObsObject" => &mut self.obs_object,
            "FileSize" => &mut self.file_size,
            _ => return None,
        })
    }
}

/// Digits alone; the standard library would take a plus sign as well.
fn parse_size(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ExtraParams {
        ExtraParams::new(Some(text.to_owned()))
    }

    #[test]
    fn each_vendor_is_recognised_by_its_members() {
        let tencent =
            read(r#"{"TaskId":"","FileID":"5285890813218549789","Duration":36.5,"New":1}"#);
        assert_eq!(tencent.vendor(), Some(Vendor::Tencent));
        assert_eq!(
            (tencent.task_id(), tencent.file_id()),
            (Some(""), Some("5285890813218549789"))
        );
        assert_eq!(tencent.duration(), Some(Duration::from_millis(36_500)));

        let wangsu = read(r#"{"PersistentId":"app-x--20230728181527.mp4","Duration":"12"}"#);
        assert_eq!(
            (wangsu.vendor(), wangsu.file_id()),
            (Some(Vendor::Wangsu), Some("app-x--20230728181527.mp4"))
        );
        assert_eq!(wangsu.duration(), Some(Duration::from_secs(12)));

        let huawei =
            read(r#"{"Duration":3,"ObsObject":"record/app/x/1.mp4","FileSize":4294967296}"#);
        assert_eq!(
            (huawei.vendor(), huawei.file_id()),
            (Some(Vendor::Huawei), Some("record/app/x/1.mp4"))
        );
        assert_eq!(huawei.file_size(), Some(4_294_967_296));
    }

    #[test]
    fn a_file_id_keeps_its_digits_in_each_spelling() {
        for text in [
            r#"{"FileID":"5285890813218549789"}"#,
            r#"{"FileId":"5285890813218549789"}"#,
            r#"{"FileID":5285890813218549789}"#,
            r#"{"FileID":"5285890813218549789","TaskId":null}"#,
        ] {
            assert_eq!(read(text).file_id(), Some("5285890813218549789"), "{text}");
        }
    }

    #[test]
    fn what_is_not_recognised_stays_readable() {
        for text in [
            "",
            "extra_params",
            "{",
            "[]",
            "{}",
            r#"{"Duration":1.5}"#,
            r#"{"FileID":"1","FileID":"2"}"#,
            r#"{"FileID":"1","FileId":"1"}"#,
            r#"{"FileID":"1","PersistentId":"2"}"#,
            r#"{"FileID":["1"]}"#,
            r#"{"FileID":"1\u0000"}"#,
            r#"{"FileID":"\ud800"}"#,
            r#"{"FileID":"1"} trailing"#,
            r#"{"FileID":"1","x":"\ud800"}"#,
            r#"{"FileID":"1","x":"\x"}"#,
        ] {
            let params = read(text);
            assert_eq!((params.vendor(), params.text()), (None, Some(text)));
            assert_eq!(
                (params.file_id(), params.params()),
                (None, &VendorParams::Unrecognised)
            );
        }
        assert_eq!(read(r#"{"Duration":1.5}"#).duration_text(), Some("1.5"));
        assert_eq!(ExtraParams::new(None).text(), None);
    }

    #[test]
    fn a_file_size_consists_of_digits() {
        for (text, expected) in [
            ("42", Some(42)),
            ("\"42\"", Some(42)),
            ("\"+42\"", None),
            ("-1", None),
            ("1.0", None),
        ] {
            let params = read(&format!(r#"{{"FileSize":{text}}}"#));
            assert_eq!(params.file_size(), expected, "{text}");
        }
    }

    #[test]
    fn an_invalid_duration_is_ignored() {
        for text in [
            "-1", "1e400", "\"NaN\"", "\"inf\"", "\"x\"", "\"\"", "1e300",
        ] {
            let params = read(&format!(r#"{{"TaskId":"t","Duration":{text}}}"#));
            assert_eq!(params.duration(), None, "{text}");
            assert_eq!(params.duration_text(), Some(text.trim_matches('"')));
        }
    }
}
