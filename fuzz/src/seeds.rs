//! The golden table as first inputs.

use std::collections::BTreeMap;

use zego_record_core::UnixSeconds;
use zego_record_testkit::golden;

use crate::reference::json::Json;
use crate::reference::verdict::members;
use crate::world::{NOW, SECRET, accepted, with_signature};

/// Longer bodies teach a fuzzer nothing that shorter ones do not, and slow it down.
const MAX_LEN: usize = 2048;

/// Inputs by name, for one target.
pub type Seeds = BTreeMap<String, Vec<u8>>;

/// The seeds of each target, the same in every run: secret, clock and nonces are fixed.
pub fn all() -> BTreeMap<&'static str, Seeds> {
    let bodies = bodies();
    let of_bodies = |pick: fn(&[u8]) -> Option<Vec<u8>>| -> Seeds {
        bodies
            .iter()
            .filter_map(|(name, body)| Some((name.clone(), pick(body)?)))
            .collect()
    };
    BTreeMap::from([
        ("verdict", bodies.clone()),
        ("differential", bodies.clone()),
        ("wire_equivalence", bodies.clone()),
        ("fixpoint", bodies.clone()),
        ("captured", bodies.clone()),
        ("stored", of_bodies(stored)),
        (
            "extra_params",
            of_bodies(|body| field(body, "extra_params")),
        ),
        (
            "signature",
            of_bodies(|body| {
                let (nonce, timestamp) = (field(body, "nonce")?, field(body, "timestamp")?);
                Some([SECRET.as_bytes(), &nonce, &timestamp].join(&b'\n'))
            }),
        ),
    ])
}

/// Every request of the table, and again without the signed fields, to be signed by the harness.
fn bodies() -> Seeds {
    let mut bodies = Seeds::new();
    for case in golden::cases() {
        let requests = case.requests(SECRET, UnixSeconds::new(NOW), 0);
        for (step, request) in requests.iter().enumerate() {
            let body = request.body();
            if body.len() > MAX_LEN {
                continue;
            }
            let name = format!("{}-{}", case.name(), step + 1);
            if let Some(content) = without_signed_fields(body) {
                bodies.insert(format!("{name}-content"), content);
            }
            bodies.insert(name, body.to_vec());
        }
    }
    bodies
}

/// What is stored of the callback in a body, if a right signature makes one of it.
fn stored(body: &[u8]) -> Option<Vec<u8>> {
    let callback = accepted(body).or_else(|| accepted(&with_signature(body, SECRET)))?;
    Some(callback.to_stored())
}

/// The body without the three signed fields where they stand in it in the usual spelling.
fn without_signed_fields(body: &[u8]) -> Option<Vec<u8>> {
    let mut text = String::from_utf8(body.to_vec()).ok()?;
    for name in ["timestamp", "nonce", "signature"] {
        let value = String::from_utf8(field(body, name)?).ok()?;
        let spellings = [
            format!("\"{name}\":\"{value}\""),
            format!("\"{name}\":{value}"),
            format!("{name}={value}"),
        ];
        let spelling = spellings.iter().find(|spelling| text.contains(*spelling))?;
        let separator = if spelling.starts_with('"') { ',' } else { '&' };
        for around in [
            format!("{separator}{spelling}"),
            format!("{spelling}{separator}"),
            spelling.clone(),
        ] {
            text = text.replacen(&around, "", 1);
        }
    }
    Some(text.into_bytes())
}

fn field(body: &[u8], name: &str) -> Option<Vec<u8>> {
    let member = members(body)?
        .into_iter()
        .find(|member| member.name == name)?;
    match member.value {
        Json::Text(text) => Some(text.into_bytes()),
        Json::Null => None,
        _ => Some(member.source.into_bytes()),
    }
}
