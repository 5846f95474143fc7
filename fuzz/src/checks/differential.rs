//! The crate and the second implementation come to the same verdict, and read the same.

use zego_record_core::{
    OtherEvent, RecordCallback, Rejection, UnixSeconds, Unverified, Vendor, Verified,
};

use crate::reference::delivery_key::delivery_key;
use crate::reference::json::{self, Json};
use crate::reference::verdict::{Config, Event, Member, Record, authenticate, check_content};
use crate::world::{BOUND_APPID, BOUND_SECRET, NOW, SECRET, TOLERANCE, verifier, with_signature};

const CONFIG: Config<'_> = Config {
    secrets: &[(None, SECRET), (Some(BOUND_APPID), BOUND_SECRET)],
    tolerance: TOLERANCE,
};

/// Takes a body, and compares it as it is and signed with each secret.
pub fn check(body: &[u8]) {
    compare(body);
    compare(&with_signature(body, SECRET));
    compare(&with_signature(body, BOUND_SECRET));
}

fn compare(body: &[u8]) {
    let ours = Unverified::read(body)
        .and_then(|unverified| verifier().authenticate(unverified, UnixSeconds::new(NOW)));
    match (ours, authenticate(body, NOW, CONFIG)) {
        (Ok(ours), Ok(theirs)) => {
            let key = delivery_key(&theirs.known, &theirs.others);
            assert_eq!(ours.delivery_key().to_string(), key);
            compare_content(verifier().check_content(ours), check_content(theirs), &key);
            compare_content(
                verifier().verify(body, UnixSeconds::new(NOW)),
                authenticate(body, NOW, CONFIG).and_then(check_content),
                &key,
            );
        }
        (Err(ours), Err(theirs)) => assert_eq!(ours.verdict().code(), theirs, "{ours}"),
        (ours, theirs) => panic!("the crate: {ours:?}\nthe reference: {theirs:?}"),
    }
}

fn compare_content(
    ours: Result<Verified, Rejection>,
    theirs: Result<Event, &'static str>,
    key: &str,
) {
    match (ours, theirs) {
        (Ok(Verified::Record(ours)), Ok(Event::Record(theirs))) => {
            assert_eq!(ours.delivery_key().to_string(), key);
            compare_records(&ours, &theirs);
        }
        (Ok(Verified::Other(ours)), Ok(Event::Other(name, known, others))) => {
            assert_eq!(ours.name(), name);
            let known = known.into_iter().filter(|(name, _)| {
                !matches!(*name, "event" | "timestamp" | "nonce" | "signature")
            });
            compare_others(&ours, known.collect(), &others);
        }
        (Err(ours), Err(theirs)) => assert_eq!(ours.verdict().code(), theirs, "{ours}"),
        (ours, theirs) => panic!("the crate: {ours:?}\nthe reference: {theirs:?}"),
    }
}

fn compare_records(ours: &RecordCallback, theirs: &Record) {
    assert_eq!(ours.appid(), theirs.text("appid"));
    assert_eq!(ours.stream_alias(), theirs.text("stream_alias"));
    assert_eq!(ours.replay_url(), theirs.text("replay_url"));
    assert_eq!(ours.begin_time().get(), theirs.begin_time);
    assert_eq!(ours.end_time().get(), theirs.end_time);
    assert_eq!(ours.timestamp().get().to_string(), theirs.text("timestamp"));
    assert_eq!(ours.nonce(), theirs.text("nonce"));

    let extra_params = ours.extra_params();
    assert_eq!(
        extra_params.text(),
        theirs.known.get("extra_params").map(String::as_str)
    );
    if let Some(theirs) = &theirs.extra_params {
        assert_eq!(extra_params.vendor().map(Vendor::name), theirs.vendor);
        assert_eq!(extra_params.task_id(), theirs.task_id.as_deref());
        assert_eq!(extra_params.file_id(), theirs.file_id.as_deref());
        assert_eq!(extra_params.file_size(), theirs.file_size);
        assert_eq!(extra_params.duration_text(), theirs.duration.as_deref());
    }
    if let Some(event_id) = theirs.event_id() {
        assert_eq!(ours.event_id(), event_id);
    }
    let others: Vec<_> = ours.other_fields().collect();
    compare_members(&others, &theirs.others);
}

fn compare_others(ours: &OtherEvent, mut known: Vec<(&str, String)>, others: &[Member]) {
    let fields: Vec<_> = ours.fields().collect();
    let (first, rest) = fields.split_at(known.len());
    let mut first: Vec<_> = first
        .iter()
        .map(|(name, text)| (*name, (*text).to_owned()))
        .collect();
    first.sort();
    known.sort();
    assert_eq!(first, known);
    compare_members(rest, others);
}

/// Of an array or object the crate keeps the JSON as it came.
fn compare_members(ours: &[(&str, &str)], theirs: &[Member]) {
    assert_eq!(ours.len(), theirs.len());
    for ((name, text), member) in ours.iter().zip(theirs) {
        assert_eq!(*name, member.name);
        match &member.value {
            Json::Text(expected) => assert_eq!(text, expected),
            Json::Array(_) | Json::Object(_) => assert_eq!(json::compact(text), member.source),
            _ => assert_eq!(*text, member.source),
        }
    }
}
