//! No string in `extra_params` breaks a callback, and its members are read correctly.

use zego_record_core::{ExtraParams, RecordCallback, Vendor};

use crate::reference::extra_params::read;
use crate::reference::form;
use crate::reference::json::{self, Json};
use crate::world::{SECRET, accepted, with_signature};
use crate::write::{self, Spelling};

/// Takes the value of `extra_params`, and sends it as a string, in a form and, if it is one, as an
/// object.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let quoted = write::quote(text, Spelling::Plain);
    let from_json = accepted_with(&document(&quoted));
    let encoded = write::percent_encode(text);
    let from_form = accepted_with(&format!(
        "event=record&appid=1&stream_alias=a&replay_url=u&begin_time=1&end_time=2&extra_params={encoded}"
    ));
    let expected = decoded(text);
    if expected.contains(char::is_control) {
        assert!(from_json.is_none() && from_form.is_none());
        return;
    }
    for callback in [&from_json, &from_form] {
        let callback = callback.as_ref().expect("any text is accepted");
        assert_eq!(callback.extra_params().text(), Some(expected.as_str()));
        assert_eq!(
            Some(callback.delivery_key()),
            from_json.as_ref().map(RecordCallback::delivery_key)
        );
        reads_as_the_reference(callback.extra_params(), &expected);
    }

    let is_object = json::read(text).is_some_and(|document| {
        matches!(document.value, Json::Object(_)) && !document.has_lone_surrogate
    });
    // Inside of a document the object is one level deeper.
    let from_object = accepted_with(&document(text)).filter(|_| is_object);
    if let (Some(from_object), Some(from_json)) = (from_object, from_json) {
        assert_eq!(
            from_object.extra_params().vendor(),
            from_json.extra_params().vendor()
        );
        assert_eq!(
            from_object.extra_params().params(),
            from_json.extra_params().params()
        );
        assert_eq!(from_object.delivery_key(), from_json.delivery_key());
        assert_eq!(from_object.event_id(), from_json.event_id());
    }
}

fn document(extra_params: &str) -> String {
    format!(
        r#"{{"event":"record","appid":"1","stream_alias":"a","replay_url":"u","begin_time":1,"end_time":2,"extra_params":{extra_params}}}"#
    )
}

fn accepted_with(body: &str) -> Option<RecordCallback> {
    accepted(&with_signature(body.as_bytes(), SECRET))
}

/// An object may come percent-encoded once more.
fn decoded(text: &str) -> String {
    let looks_encoded = text.to_ascii_lowercase().starts_with("%7b");
    match form::decode(text) {
        Some(decoded) if looks_encoded => decoded,
        _ => text.to_owned(),
    }
}

fn reads_as_the_reference(ours: &ExtraParams, text: &str) {
    let Some(theirs) = read(text) else { return };
    assert_eq!(ours.vendor().map(Vendor::name), theirs.vendor);
    assert_eq!(ours.task_id(), theirs.task_id.as_deref());
    assert_eq!(ours.file_id(), theirs.file_id.as_deref());
    assert_eq!(ours.file_size(), theirs.file_size);
    assert_eq!(ours.duration_text(), theirs.duration.as_deref());
    let seconds = theirs.duration.and_then(|text| text.parse::<f64>().ok());
    let is_length = seconds.is_some_and(|seconds| (0.0..1.8e19).contains(&seconds));
    if let (true, Some(seconds)) = (is_length, seconds) {
        let read = ours.duration().expect("a length").as_secs_f64();
        assert!(
            (read - seconds).abs() <= 1e-9 + seconds * 1e-15,
            "{read} {seconds}"
        );
    } else {
        assert_eq!(
            ours.duration().filter(|read| read.as_secs_f64() < 1.8e19),
            None
        );
    }
}
