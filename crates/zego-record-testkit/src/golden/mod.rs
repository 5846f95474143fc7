//! The golden table: requests, and what every receiver must answer to each.
//!
//! The table is data, in the JSON files beside this module. A [`Case`] shows one rule of the protocol
//! in one or more steps; each step is a request and the expected [`Verdict`](zego_record_core::Verdict).
//! [`Conformance`] sends them all to an app and compares.
//!
//! # Format
//!
//! A case has a `name`, a `rule`, a `method` unless it is `POST`, and `steps`. The `body` of a step is a
//! template:
//!
//! | placeholder | stands for |
//! |---|---|
//! | `{timestamp}`, `{nonce}`, `{signature}` | what was signed, and the signature |
//! | `{unique}` | 19 digits that belong to the case and the run |
//! | `{time:AGE}`, `{time:FROM..TO}` | the clock less AGE seconds, or some second of a span |
//! | `{digits:N}`, `{alphanumeric:N}` | random characters |
//! | `{byte:HH}` | one byte |
//! | `{repeat:TEXT:N}` | a repeated string |
//! | `{fill:N}` | as much padding as makes the body `N` bytes long |
//! | `{json_record}`, .. | a string in `fragments.json` |
//!
//! Anything else in braces is literal.
//!
//! | member of a step | default | meaning |
//! |---|---|---|
//! | `body` | empty | the template |
//! | `encode` | none | `upper` or `lower`: the body is percent-encoded as a whole |
//! | `content_type` | as the body looks | empty for no header |
//! | `age` | within 240 s | how old the timestamp is; it is `{time}` |
//! | `timestamp`, `nonce` | `{time}`, 19 digits | templates of what is signed |
//! | `signing` | `right` | a [`Signing`](crate::Signing) |
//! | `reuse_triple` | false | signed with what the first step was signed with |
//! | `verdict` | required | the code of a [`Verdict`](zego_record_core::Verdict) |
//! | `fields` | none | members of the callback that the handler gets, as it serialises; strings are templates, and that of `timestamp` gives an integer |

mod case;
mod compare;
mod conformance;
mod differences;
mod reply;
mod template;

use std::sync::LazyLock;

pub use case::{Case, CaseRequest};
pub use conformance::{Conformance, Mode, Report, assert_conformant};
pub use differences::{Difference, Differences};
pub use reply::Reply;

use case::Row;

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let files = [
        ("wire_forms", include_str!("wire_forms.json")),
        ("fields", include_str!("fields.json")),
        ("malformed", include_str!("malformed.json")),
        ("origin", include_str!("origin.json")),
        ("deliveries", include_str!("deliveries.json")),
    ];
    let read = |(name, text)| -> Vec<Row> {
        serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("golden/{name}.json is not readable: {error}"))
    };
    files.into_iter().flat_map(read).map(Case).collect()
});

/// All cases, in the order in which they are run.
pub fn cases() -> &'static [Case] {
    &CASES
}
