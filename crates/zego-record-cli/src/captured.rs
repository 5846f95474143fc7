//! A captured body, taken apart so that it can be sent again under a fresh signature.

use std::error::Error;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use zego_record_core::{Field, Unverified, WireForm};
use zego_record_testkit::RequestBuilder;

/// Why a body cannot be taken apart.
type Cause = Box<dyn Error + Send + Sync>;

/// The fields of a captured body, without what belongs to its signature.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    wire_form: WireForm,
    fields: Vec<(String, Value)>,
}

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Json(String),
}

impl Captured {
    /// Takes apart whatever a receiver can read; what it could not read is not worth sending.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Cause> {
        let wire_form = Unverified::read(body)?.wire_form();
        // As a receiver does it: other white space is content.
        let text = std::str::from_utf8(body)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        let fields = match wire_form {
            WireForm::Form => read_form(text)?,
            WireForm::Json => read_json(text)?,
            _ => {
                // As one value of a form, which is how such a body is encoded.
                let pairs = form_pairs(&format!("json={}", text.replace('&', "%26")))?;
                let json: String = pairs.into_iter().map(|(_, json)| json).collect();
                read_json(&json)?
            }
        };
        let signed = [Field::Timestamp, Field::Nonce, Field::Signature].map(Field::name);
        let fields = fields.into_iter();
        Ok(Self {
            wire_form,
            fields: fields
                .filter(|(name, _)| !signed.contains(&name.as_str()))
                .collect(),
        })
    }

    /// Puts these fields, and no others, into a request.
    pub(crate) fn fill(&self, builder: RequestBuilder) -> RequestBuilder {
        let samples = [
            Field::Event,
            Field::Appid,
            Field::StreamAlias,
            Field::ReplayUrl,
            Field::BeginTime,
            Field::EndTime,
            Field::ExtraParams,
        ];
        let empty = samples
            .into_iter()
            .fold(builder, |builder, field| builder.without(field.name()));
        let fields = self.fields.iter();
        fields.fold(
            empty.wire_form(self.wire_form),
            // Unknown names may repeat.
            |builder, (name, value)| match value {
                Value::Text(text) => builder.add_field(name.as_str(), text.as_str()),
                Value::Json(json) => builder.add_field_json(name.as_str(), json.as_str()),
            },
        )
    }
}

fn form_pairs(text: &str) -> Result<Vec<(String, String)>, Cause> {
    Ok(serde_urlencoded::from_str(text)?)
}

fn read_form(text: &str) -> Result<Vec<(String, Value)>, Cause> {
    let pairs = form_pairs(text)?.into_iter();
    Ok(pairs
        .map(|(name, text)| (name, Value::Text(text)))
        .collect())
}

fn read_json(text: &str) -> Result<Vec<(String, Value)>, Cause> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Ok(deserializer.deserialize_map(Members)?)
}

/// The members in their order, numbers in their very digits.
struct Members;

impl<'a> Visitor<'a> for Members {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            let text = serde_json::from_str::<String>(value.get());
            let value = text.map_or_else(|_| Value::Json(value.get().to_owned()), Value::Text);
            members.push((name, value));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use zego_record_core::UnixSeconds;

    use super::*;

    fn resigned(body: &str) -> String {
        let builder = RequestBuilder::new("secret", UnixSeconds::new(1_760_001_893)).nonce("9");
        let request = Captured::parse(body.as_bytes())
            .unwrap()
            .fill(builder)
            .build();
        String::from_utf8(request.body().to_owned()).unwrap()
    }

    #[test]
    fn only_what_was_signed_changes() {
        let json = r#"{"appid":12345678901234567890,"new":[1.50,null],"timestamp":1,"event":"record","é":"\"x","nonce":"1","signature":"x"}"#;
        let again = resigned(json);
        for kept in [
            r#""appid":12345678901234567890"#,
            r#""new":[1.50,null]"#,
            r#""event":"record""#,
            r#""é":"\"x""#,
            r#""timestamp":"1760001893""#,
            r#""nonce":"9""#,
        ] {
            assert!(again.contains(kept), "{kept} in {again}");
        }
        assert_eq!(again.matches("timestamp").count(), 1, "{again}");
        assert!(!again.contains("stream_alias"), "{again}");

        let form = resigned("rtmp_url[]=a%20b&rtmp_url[]=c&nonce=1&timestamp=2&signature=x\n");
        assert!(
            form.contains("rtmp_url%5B%5D=a+b&rtmp_url%5B%5D=c"),
            "{form}"
        );
        assert!(
            form.contains("nonce=9") && !form.contains("signature=x"),
            "{form}"
        );

        let encoded = resigned("%7B%22event%22%3A%22a&b=%2Bc%22%7D");
        assert!(encoded.contains("%22a%26b%3D%2Bc%22"), "{encoded}");
    }

    #[test]
    fn a_name_that_repeats_is_sent_as_often() {
        let again = resigned(r#"{"new":1,"new":[2],"new":"3","new":1}"#);
        let repeated = r#""new":1,"new":[2],"new":"3","new":1}"#;
        assert!(again.ends_with(repeated), "{again}");
    }

    #[test]
    fn only_what_a_receiver_skips_around_a_body_is_skipped() {
        let again = resigned("\u{feff} \t\r\n\u{b}a=b\u{a0}\n");
        assert!(again.ends_with("%0Ba=b%C2%A0"), "{again}");
        let again = resigned("\u{feff}\u{feff}a=b");
        assert!(again.ends_with("%EF%BB%BFa=b"), "{again}");
    }

    #[test]
    fn what_no_receiver_can_read_is_rejected() {
        for body in ["{", "nonce=1&nonce=2", "a=%zz"] {
            assert!(Captured::parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
