//! What a callback says: the options for it, and the request that they make.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use fastrand::Rng;
use http::HeaderValue;
use zego_record_core::{Field, UnixSeconds, Vendor, WireForm};
use zego_record_testkit::RequestBuilder;

use crate::error::Error;
use crate::secrets::Secret;

/// What every callback that is made up has.
const SENT: [Field; 10] = [
    Field::Event,
    Field::Appid,
    Field::StreamAlias,
    Field::ReplayUrl,
    Field::BeginTime,
    Field::EndTime,
    Field::Timestamp,
    Field::Nonce,
    Field::Signature,
    Field::ExtraParams,
];

/// The options that say what a callback looks like.
#[derive(Args, Clone, Debug)]
pub(crate) struct ContentArgs {
    /// Whose `extra_params` to send [default: tencent]
    #[arg(long, value_enum)]
    vendor: Option<VendorName>,

    /// How the body is written [default: json]
    #[arg(long, value_enum)]
    wire: Option<Wire>,

    /// Send integers as JSON numbers instead of strings
    #[arg(long)]
    numbers: bool,

    /// Set a field to a text; `timestamp` and `nonce` are signed as they are set. Repeatable
    #[arg(long = "field", value_name = "NAME=VALUE")]
    fields: Vec<FieldText>,

    /// Leave a field out. Repeatable
    #[arg(long, value_name = "FIELD")]
    unset: Vec<String>,

    /// Send a field as null; a form leaves it out. Repeatable
    #[arg(long, value_name = "FIELD")]
    null: Vec<String>,

    /// The Content-Type to send; `none` sends none [default: the one that fits]
    #[arg(long, value_name = "TYPE", value_parser = header_text)]
    content_type: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VendorName {
    Tencent,
    Wangsu,
    Huawei,
    /// Aliyun documents no `extra_params`, so none are sent
    Aliyun,
}

/// A wire form by its name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wire {
    /// A JSON object
    Json,
    /// application/x-www-form-urlencoded
    Form,
    /// A JSON object that is percent-encoded as a whole
    Urlencoded,
}

impl From<Wire> for WireForm {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Json => Self::Json,
            Wire::Form => Self::Form,
            Wire::Urlencoded => Self::EncodedJson,
        }
    }
}

impl ContentArgs {
    /// A recording of its own: stream, file and times follow from `index`, `rng` and `now`.
    pub(crate) fn recording(
        &self,
        secret: &Secret,
        now: UnixSeconds,
        index: u64,
        rng: &mut Rng,
    ) -> RequestBuilder {
        let seconds = rng.i64(300..=7_200);
        let end = now.get().saturating_sub(5);
        let stream = format!("stream-{index}");
        let file: String = (0..18).map(|_| rng.digit(10)).collect();
        let builder = RequestBuilder::new(secret.text(), now)
            .seed(rng.u64(..))
            .vendor(None)
            .field(
                "replay_url",
                format!("https://vod.example.com/{stream}/{file}.mp4"),
            )
            .field("begin_time", end.saturating_sub(seconds).to_string())
            .field("end_time", end.to_string());
        let builder = match self.extra_params(&stream, &file, seconds, rng) {
            Some(text) => builder.field("extra_params", text),
            None => builder,
        };
        builder.field("stream_alias", stream)
    }

    /// The same without what changes single fields or the Content-Type.
    pub(crate) fn without_edits(&self) -> Self {
        Self {
            vendor: self.vendor,
            wire: self.wire,
            numbers: self.numbers,
            fields: Vec::new(),
            unset: Vec::new(),
            null: Vec::new(),
            content_type: None,
        }
    }

    /// Rejects options that would do nothing, for a captured body or one that is made up.
    pub(crate) fn check(&self, is_captured: bool) -> Result<(), Error> {
        if self.numbers && self.wire == Some(Wire::Form) {
            return Err(Error::new(
                "--numbers does nothing with --wire form: a form has no numbers",
            ));
        }
        let set = self.fields.iter().map(|field| field.name.as_str());
        let sent: Vec<_> = SENT.map(Field::name).into_iter().chain(set).collect();
        let unknown = |name: &&String| !is_captured && !sent.contains(&name.as_str());
        match self.unset.iter().find(unknown) {
            Some(name) => Err(Error::new(format!(
                "--unset {name} does nothing: there is no field of this name"
            ))),
            None => Ok(()),
        }
    }

    /// Rejects options that change a body, where no body is printed.
    pub(crate) fn check_without_body(&self) -> Result<(), Error> {
        let others = |field: &FieldText| !["timestamp", "nonce"].contains(&field.name.as_str());
        let given = [
            ("--vendor", self.vendor.is_some()),
            ("--wire", self.wire.is_some()),
            ("--numbers", self.numbers),
            ("--field", self.fields.iter().any(others)),
            ("--unset", !self.unset.is_empty()),
            ("--null", !self.null.is_empty()),
            ("--content-type", self.content_type.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => Err(Error::new(format!(
                "{option} does nothing without --curl: it is about the body, which is not signed"
            ))),
            None => Ok(()),
        }
    }

    /// Whether a part of the signature is replaced or taken away, so that a receiver must reject it.
    pub(crate) fn breaks_signature(&self) -> bool {
        let signed = ["signature", "timestamp", "nonce"];
        let gone = self.unset.iter().chain(&self.null);
        self.fields.iter().any(|field| field.name == "signature")
            || gone.clone().any(|name| signed.contains(&name.as_str()))
    }

    /// Makes a request what the options ask for.
    pub(crate) fn apply(&self, mut builder: RequestBuilder) -> RequestBuilder {
        if let Some(wire) = self.wire {
            builder = builder.wire_form(wire.into());
        }
        if self.numbers {
            builder = builder.numbers();
        }
        if let Some(content_type) = &self.content_type {
            let sent = (content_type != "none").then_some(content_type.as_str());
            builder = builder.content_type(sent);
        }
        builder = self.fields.iter().fold(builder, |builder, field| {
            let value = field.value.as_str();
            match field.name.as_str() {
                "timestamp" => builder.timestamp(value),
                "nonce" => builder.nonce(value),
                name => builder.field(name, value),
            }
        });
        builder = self
            .unset
            .iter()
            .fold(builder, |builder, name| builder.without(name.as_str()));
        let null =
            |builder: RequestBuilder, name: &String| builder.field_json(name.as_str(), "null");
        self.null.iter().fold(builder, null)
    }

    fn extra_params(
        &self,
        stream: &str,
        file: &str,
        seconds: i64,
        rng: &mut Rng,
    ) -> Option<String> {
        let vendor = match self.vendor.unwrap_or(VendorName::Tencent) {
            VendorName::Tencent => Vendor::Tencent,
            VendorName::Wangsu => Vendor::Wangsu,
            VendorName::Huawei => Vendor::Huawei,
            VendorName::Aliyun => return None,
        };
        let fraction = rng.u32(10..100);
        let size = rng.u64(1_000_000..1_000_000_000);
        Some(match vendor {
            Vendor::Tencent => {
                let task: String = (0..16).map(|_| rng.alphanumeric()).collect();
                format!(
                    r#"{{"TaskId":"{task}","FileID":"5{file}","Duration":{seconds}.{fraction}}}"#
                )
            }
            Vendor::Wangsu => {
                let id: String = (0..36).map(|_| rng.digit(16)).collect();
                format!(r#"{{"PersistentId":"{id}","Duration":{seconds}.{fraction}}}"#)
            }
            _ => format!(
                r#"{{"Duration":{seconds}.{fraction},"ObsObject":"record/app/{stream}/{file}.mp4","FileSize":{size}}}"#
            ),
        })
    }
}

fn header_text(text: &str) -> Result<String, &'static str> {
    let is_fine = HeaderValue::from_str(text).is_ok_and(|value| value.to_str().is_ok());
    let problem = "a header holds ASCII characters alone";
    is_fine.then(|| text.to_owned()).ok_or(problem)
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldText {
    name: String,
    value: String,
}

impl FromStr for FieldText {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or("expected NAME=VALUE")?;
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use zego_record_core::{CallbackSecret, RecordCallback, Verified, Verifier};
    use zeroize::Zeroizing;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds::new(1_760_001_900);

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        content: ContentArgs,
    }

    fn body(args: &[&str], index: u64, seed: u64) -> Vec<u8> {
        let args = std::iter::once("test").chain(args.iter().copied());
        let content = Cli::parse_from(args).content;
        let secret = Secret::new("test", Zeroizing::new("secret".to_owned()));
        let mut rng = Rng::with_seed(seed);
        let recording = content.recording(&secret, NOW, index, &mut rng);
        let request = content.apply(recording).build();
        request.body().to_owned()
    }

    fn verify(body: &[u8]) -> RecordCallback {
        let secret = CallbackSecret::new("secret").unwrap();
        let verifier = Verifier::builder().secret(secret).build().unwrap();
        match verifier.verify(body, NOW) {
            Ok(Verified::Record(callback)) => callback,
            other => panic!("{}: {other:?}", String::from_utf8_lossy(body)),
        }
    }

    #[test]
    fn every_vendor_in_every_wire_form_is_accepted() {
        for (vendor, expected) in [
            ("tencent", Some(Vendor::Tencent)),
            ("wangsu", Some(Vendor::Wangsu)),
            ("huawei", Some(Vendor::Huawei)),
            ("aliyun", None),
        ] {
            for wire in ["json", "form", "urlencoded"] {
                for numbers in [&[][..], &["--numbers"]] {
                    let mut args = vec!["--vendor", vendor, "--wire", wire];
                    args.extend(numbers);
                    let callback = verify(&body(&args, 3, 9));
                    assert_eq!(callback.extra_params().vendor(), expected, "{args:?}");
                    assert_eq!(callback.stream_alias(), "stream-3", "{args:?}");
                    let file = callback.extra_params().file_id().map(str::to_owned);
                    let other = verify(&body(&args, 3, 10));
                    assert_ne!(callback.replay_url(), other.replay_url(), "{args:?}");
                    assert!(
                        file.is_none() || file.as_deref() != other.extra_params().file_id(),
                        "{args:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_same_seed_writes_the_same_bytes() {
        assert_eq!(body(&[], 1, 5), body(&[], 1, 5));
        assert_ne!(body(&[], 1, 5), body(&[], 1, 6));
    }

    #[test]
    fn fields_are_set_and_what_is_signed_is_signed_as_set() {
        let args = [
            "--field",
            "stream_alias=a=b",
            "--field",
            "new=",
            "--field",
            "nonce=abc",
            "--field",
            "timestamp=1760001700",
        ];
        let callback = verify(&body(&args, 0, 1));
        assert_eq!(callback.stream_alias(), "a=b");
        assert_eq!(callback.nonce(), "abc");
        assert_eq!(callback.timestamp(), UnixSeconds::new(1_760_001_700));
        assert_eq!(callback.other_fields().next(), Some(("new", "")));
        assert!("=x".parse::<FieldText>().is_err() && "x".parse::<FieldText>().is_err());
    }
}
