//! Which callbacks are the same delivery, and which are the same file.

#![allow(clippy::unwrap_used)]

use zego_record_core::{CallbackSecret, RecordCallback, UnixSeconds, Verified, Verifier, sign};

const NOW: i64 = 1_760_001_900;

fn callback(body: &str) -> RecordCallback {
    let secret = CallbackSecret::new("secret").unwrap();
    let signature = sign(&secret, "1760001893", "456789").to_string();
    let body = body.replace("SIGNATURE", &signature);
    let verifier = Verifier::builder().secret(secret).build().unwrap();
    match verifier.verify(body.as_bytes(), UnixSeconds::new(NOW)) {
        Ok(Verified::Record(callback)) => callback,
        other => panic!("{body}: {other:?}"),
    }
}

fn with(members: &str) -> RecordCallback {
    callback(&format!(
        r#"{{"timestamp":1760001893,"nonce":456789,"signature":"SIGNATURE","event":"record","appid":1,
        "stream_alias":"a b","begin_time":1760000000,"end_time":"1760001800",{members}}}"#
    ))
}

#[test]
fn the_same_content_has_the_same_key_in_every_form() {
    let json = with(
        r#""replay_url":"https://h/a+b%2F","extra_params":"{\"FileID\":\"1\",\"Duration\":1.5}","new":[1,{"x":"y"}]"#,
    );
    let same = [
        with(
            r#""new" : [ 1, {"\u0078":"y"} ], "extra_params": {"Duration":1.5, "FileID":"1"}, "replay_url":"https%3A%2F%2Fh%2Fa%2Bb%252F""#,
        ),
        callback(
            "new=%5B1%2C%7B%22x%22%3A%22y%22%7D%5D&timestamp=1760001893&nonce=456789&signature=SIGNATURE&event=record&appid=1&stream_alias=a+b\
             &begin_time=1760000000&end_time=1760001800&replay_url=https%3A%2F%2Fh%2Fa%2Bb%252F&extra_params=%7B%22FileID%22%3A%221%22%2C%22Duration%22%3A1.5%7D",
        ),
        callback(
            &r#"{"event":"record","appid":"1","timestamp":"1760001893","nonce":"456789","signature":"SIGNATURE","stream_alias":"a b","begin_time":"1760000000","end_time":"1760001800","replay_url":"https://h/a+b%2F","extra_params":"{\"FileID\":\"1\",\"Duration\":1.5}","new":[1,{"x":"y"}]}"#
                .bytes()
                .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
                .collect::<String>(),
        ),
    ];
    for (index, other) in same.iter().enumerate() {
        assert_eq!(other.replay_url(), json.replay_url(), "{index}");
        assert_eq!(other.delivery_key(), json.delivery_key(), "{index}");
        assert_eq!(other.event_id(), "1:file:1");
    }
}

#[test]
fn any_other_content_has_another_key() {
    let keys: Vec<_> = [
        r#""replay_url":"u""#,
        r#""replay_url":"v""#,
        r#""replay_url":"u","extra_params":"x""#,
        r#""replay_url":"u","new":"x""#,
        r#""replay_url":"u","new":"","x":"""#,
        r#""replay_url":"u","newx":"""#,
        r#""replay_url":"u","new":"x","new":"y""#,
        r#""replay_url":"u","new":"y","new":"x""#,
        r#""replay_url":"u","new":12345678901234567890123"#,
        r#""replay_url":"u","new":12345678901234567890124"#,
        r#""replay_url":"u","new":[1,2]"#,
        r#""replay_url":"u","new":[2,1]"#,
        r#""replay_url":"u","new":["1",2]"#,
    ]
    .into_iter()
    .map(|members| with(members).delivery_key())
    .collect();
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(key), "row {index}");
    }
    assert_eq!(
        keys[0],
        with(r#""replay_url":"u","extra_params":null"#).delivery_key()
    );
    assert_eq!(
        keys[0],
        with(r#""replay_url":"u","extra_params":"","new":null"#).delivery_key()
    );
}

#[test]
fn files_that_share_a_task_are_different_events() {
    for (extra_params, expected) in [
        (
            r#"{\"TaskId\":\"t\",\"FileID\":\"5285890813218549789\"}"#,
            "1:file:5285890813218549789",
        ),
        (r#"{\"TaskId\":\"t\",\"FileID\":\"\"}"#, "1:url:u"),
        (r#"{\"TaskId\":\"t\"}"#, "1:url:u"),
        (
            r#"{\"ObsObject\":\"record/a.mp4\"}"#,
            "1:object:record/a.mp4",
        ),
        (r#"{\"ObsObject\":\"\"}"#, "1:url:u"),
        (r#"{\"PersistentId\":\"p\"}"#, "1:persistent:p:u"),
        (r#"{\"PersistentId\":\"\"}"#, "1:persistent::u"),
        (r#"{\"Duration\":1}"#, "1:url:u"),
        ("extra_params", "1:url:u"),
    ] {
        let callback = with(&format!(
            r#""replay_url":"u","extra_params":"{extra_params}""#
        ));
        assert_eq!(callback.event_id(), expected, "{extra_params}");
    }
}

#[test]
fn two_files_never_have_one_event_id() {
    let id = |appid: &str, url: &str, extra_params: &str| {
        let fields = [
            ("event", "record"),
            ("appid", appid),
            ("stream_alias", "a"),
            ("replay_url", url),
            ("begin_time", "1"),
            ("end_time", "2"),
            ("extra_params", extra_params),
            ("timestamp", "1760001893"),
            ("nonce", "456789"),
        ];
        let form = serde_urlencoded::to_string(fields).unwrap();
        callback(&format!("{form}&signature=SIGNATURE")).event_id()
    };
    let persistent = |id: &str| format!(r#"{{"PersistentId":"{id}"}}"#);
    let file = |id: &str| format!(r#"{{"FileID":"{id}"}}"#);
    let object = |id: &str| format!(r#"{{"ObsObject":"{id}"}}"#);
    let mut ids = vec![
        id("1", "u", &persistent("p")),
        id("1", "p:u", ""),
        id("1", "u", &persistent("p:u")),
        id("1", "u:u", &persistent("p")),
        id("1", "u", &persistent("p%3Au")),
        id("1", "u", &persistent("p%253Au")),
        id("1", "persistent:p:u", ""),
        id("1:url", "u", ""),
        id("1", "url:u", ""),
        id("1%3Aurl", "u", ""),
        id("1", "u", &file("x:y")),
        id("1", "u", &object("x:y")),
        id("1", "file:x:y", ""),
        id("1:file", "u", &file("x:y")),
        id("1", "u", &file("file:x:y")),
    ];
    let expected = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), expected, "{ids:#?}");
    assert_eq!(
        id("1:%", "a:%", &persistent(":%")),
        "1%3A%25:persistent:%3A%25:a:%"
    );
}

#[test]
fn a_callback_serialises_with_all_its_fields_but_the_signature() {
    let callback = with(
        r#""replay_url":"u","extra_params":"{\"TaskId\":\"\",\"FileID\":\"9\",\"Duration\":36.52}","rtmp_url[]":["r"]"#,
    );
    let json = serde_json::to_value(&callback).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "event_id": "1:file:9",
            "delivery_key": callback.delivery_key().to_string(),
            "appid": "1",
            "stream_alias": "a b",
            "replay_url": "u",
            "begin_time": 1_760_000_000,
            "end_time": 1_760_001_800,
            "timestamp": 1_760_001_893,
            "nonce": "456789",
            "vendor": "tencent",
            "task_id": "",
            "file_id": "9",
            "duration": 36.52,
            "file_size": null,
            "extra_params": r#"{"TaskId":"","FileID":"9","Duration":36.52}"#,
            "other_fields": [["rtmp_url[]", "[\"r\"]"]],
        })
    );
}
