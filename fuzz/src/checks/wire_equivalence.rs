//! The same content, in whatever form and spelling, is the same callback.

use zego_record_core::{RecordCallback, Rejection, UnixSeconds, Verified};

use crate::reference::json::{self, Json};
use crate::reference::verdict::{FIELDS, Member, members};
use crate::world::{NOW, SECRET, signed_fields, verifier};
use crate::write::{self, Spelling};

/// Takes a body. Its content is written in each form, signed anew, and compared.
pub fn check(body: &[u8]) {
    let Some(members) = members(body) else {
        return;
    };
    let members: Vec<Member> = members
        .into_iter()
        .filter(|member| !matches!(member.name.as_str(), "timestamp" | "nonce" | "signature"))
        // Null is absent, and a form has no word for it.
        .filter(|member| member.value != Json::Null)
        .collect();
    // A form has no types, so only JSON can have a wrong one.
    if members.iter().any(has_wrong_type) {
        return;
    }
    let first = judge(&spell(&members, plain_json));
    let form = pairs(&members);
    let bodies = [
        spell(&members, unusual_json),
        write::form(&form, Spelling::Plain),
        write::form(&form, Spelling::Escaped),
        write::percent_encode(&spell(&members, plain_json)),
        write::percent_encode(&spell(&sorted(&members), unusual_json)),
        write::form(&pairs(&sorted(&members)), Spelling::Plain),
    ];
    for body in bodies {
        compare(&first, &judge(&body), &body);
    }
}

fn compare(first: &Result<Verified, Rejection>, other: &Result<Verified, Rejection>, body: &str) {
    match (first, other) {
        (Ok(Verified::Record(first)), Ok(Verified::Record(other))) => {
            compare_records(first, other, body);
        }
        (Ok(Verified::Other(first)), Ok(Verified::Other(other))) => {
            assert_eq!(first.name(), other.name(), "{body}");
            assert_eq!(first.fields().count(), other.fields().count(), "{body}");
        }
        (Err(first), Err(other)) => assert_eq!(first.verdict(), other.verdict(), "{body}"),
        _ => panic!("{first:?}\n{other:?}\n{body}"),
    }
}

fn compare_records(first: &RecordCallback, other: &RecordCallback, body: &str) {
    assert_eq!(first.delivery_key(), other.delivery_key(), "{body}");
    assert_eq!(first.event_id(), other.event_id(), "{body}");
    let fields = |callback: &RecordCallback| {
        let printed = serde_json::to_value(callback).expect("a callback serialises");
        let serde_json::Value::Object(mut fields) = printed else {
            panic!("a callback is an object");
        };
        fields.remove("other_fields");
        fields
    };
    assert_eq!(fields(first), fields(other), "{body}");
    let sorted_fields = |callback: &RecordCallback| {
        let mut fields: Vec<_> = callback
            .other_fields()
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        // Stable: fields of the same name keep their order.
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields
    };
    assert_eq!(sorted_fields(first), sorted_fields(other), "{body}");
}

fn judge(body: &str) -> Result<Verified, Rejection> {
    verifier().verify(body.as_bytes(), UnixSeconds::new(NOW))
}

fn has_wrong_type(member: &Member) -> bool {
    FIELDS.contains(&member.name.as_str())
        && match member.value {
            Json::Bool(_) | Json::Array(_) => true,
            Json::Object(_) => member.name != "extra_params",
            _ => false,
        }
}

/// The value of a member, as a string.
fn text(member: &Member) -> &str {
    match &member.value {
        Json::Text(text) => text,
        _ => &member.source,
    }
}

fn pairs(members: &[Member]) -> Vec<(String, String)> {
    let members = members
        .iter()
        .map(|member| (member.name.clone(), text(member).to_owned()));
    signed_fields(SECRET).into_iter().chain(members).collect()
}

fn sorted(members: &[Member]) -> Vec<Member> {
    let mut sorted = members.to_vec();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    sorted
}

fn spell(members: &[Member], write: fn(&[(String, String)]) -> String) -> String {
    write(&pairs(members))
}

/// All values as strings.
fn plain_json(pairs: &[(String, String)]) -> String {
    let members: Vec<_> = pairs
        .iter()
        .map(|(name, text)| (name.clone(), write::quote(text, Spelling::Plain)))
        .collect();
    write::object(&members, Spelling::Plain)
}

/// Strings as escapes; all that can be a number, a boolean or an object is one.
fn unusual_json(pairs: &[(String, String)]) -> String {
    let members: Vec<_> = pairs
        .iter()
        .map(|(name, text)| {
            let bare = json::is_number(text) || can_be_bare(name, text);
            let json = if bare {
                text.clone()
            } else {
                write::quote(text, Spelling::Escaped)
            };
            (name.clone(), json)
        })
        .collect();
    write::object(&members, Spelling::Escaped)
}

/// Whether a string can stand in the document as the JSON that it is.
fn can_be_bare(name: &str, text: &str) -> bool {
    // The document adds a level; and white space between tokens would not be kept.
    let nested = format!("[{text}]");
    let Some(document) = json::read(&nested) else {
        return false;
    };
    let Json::Array(elements) = document.value else {
        return false;
    };
    if document.has_lone_surrogate || elements.len() != 1 || json::compact(text) != text {
        return false;
    }
    let is_documented = FIELDS.contains(&name);
    match elements[0] {
        Json::Object(_) => !is_documented || name == "extra_params",
        Json::Array(_) | Json::Bool(_) => !is_documented,
        _ => false,
    }
}
