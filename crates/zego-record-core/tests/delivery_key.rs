//! The bytes that a delivery key hashes, pinned for each wire form.
//!
//! **They never change.** Databases hold keys that were made from them, and what they have stored is
//! checked against its key when it is read. A change that turns a row of this file red makes every stored
//! callback look damaged: undo the change, and leave the row alone.

#![allow(clippy::unwrap_used)]

use sha2::{Digest, Sha256};
use zego_record_core::{CallbackSecret, UnixSeconds, Unverified, Verified, Verifier, sign};

/// How a field is hashed: `t` for a text, `j` for canonical JSON.
type Field = (&'static str, char, &'static str);

struct Vector {
    name: &'static str,
    /// Without what is signed, which is added in front.
    body: &'static str,
    /// Everything that is hashed, in its order.
    hashed: &'static [Field],
    key: &'static str,
}

const RECORD: [Field; 6] = [
    ("appid", 't', "1"),
    ("begin_time", 't', "1760000000"),
    ("end_time", 't', "1760001800"),
    ("event", 't', "record"),
    ("replay_url", 't', "https://h/a+b%2F"),
    ("stream_alias", 't', "a b"),
];

const VECTORS: &[Vector] = &[
    Vector {
        name: "JSON with strings",
        body: r#"{"event":"record","appid":"1","stream_alias":"a b","replay_url":"https://h/a+b%2F","begin_time":"1760000000","end_time":"1760001800"}"#,
        hashed: &RECORD,
        key: "9e48bd7cf56af86306e24dc895d1a14ed6f4e9fea1a38fe3035e51f1b10ed9e3",
    },
    Vector {
        name: "JSON with numbers, and an empty extra_params",
        body: r#"{"event":"record","appid":1,"stream_alias":"a b","replay_url":"https://h/a+b%2F","begin_time":1760000000,"end_time":1760001800,"extra_params":"","new":null}"#,
        hashed: &RECORD,
        key: "9e48bd7cf56af86306e24dc895d1a14ed6f4e9fea1a38fe3035e51f1b10ed9e3",
    },
    Vector {
        name: "JSON with escapes, and an encoded URL",
        body: r#"{"\u0065vent":"rec\u006frd","appid":"\u0031","stream_alias":"a\u0020b","replay_url":"https%3A%2F%2Fh%2Fa%2Bb%252F","begin_time":"1760000000","end_time":"01760001800"}"#,
        hashed: &RECORD,
        key: "9e48bd7cf56af86306e24dc895d1a14ed6f4e9fea1a38fe3035e51f1b10ed9e3",
    },
    Vector {
        name: "a form",
        body: "event=record&appid=1&stream_alias=a+b&replay_url=https%3A%2F%2Fh%2Fa%2Bb%252F&begin_time=1760000000&end_time=1760001800",
        hashed: &RECORD,
        key: "9e48bd7cf56af86306e24dc895d1a14ed6f4e9fea1a38fe3035e51f1b10ed9e3",
    },
    Vector {
        name: "encoded JSON",
        body: "%7B%22event%22:%22record%22,%22appid%22:%221%22,%22stream_alias%22:%22a+b%22,%22replay_url%22:%22https://h/a%2Bb%252F%22,%22begin_time%22:%221760000000%22,%22end_time%22:%221760001800%22%7D",
        hashed: &RECORD,
        key: "9e48bd7cf56af86306e24dc895d1a14ed6f4e9fea1a38fe3035e51f1b10ed9e3",
    },
    Vector {
        name: "extra_params as a string",
        body: r#"{"event":"record","appid":"1","stream_alias":"a","replay_url":"u","begin_time":"1","end_time":"2","extra_params":"{\"TaskId\":\"t\",\"FileID\":\"5285890813218549789\",\"Duration\":36.50}"}"#,
        hashed: &[
            ("appid", 't', "1"),
            ("begin_time", 't', "1"),
            ("end_time", 't', "2"),
            ("event", 't', "record"),
            (
                "extra_params",
                'j',
                r#"{"Duration":36.50,"FileID":"5285890813218549789","TaskId":"t"}"#,
            ),
            ("replay_url", 't', "u"),
            ("stream_alias", 't', "a"),
        ],
        key: "60f494fb54aea9ba018f67184daf8a2484f7e82cb93d706b68c64dc2bfe8eb0c",
    },
    Vector {
        name: "extra_params as an object",
        body: r#"{"event":"record","appid":"1","stream_alias":"a","replay_url":"u","begin_time":"1","end_time":"2","extra_params":{ "FileID" : "5285890813218549789", "Task\u0049d":"t", "Duration":36.50 }}"#,
        hashed: &[
            ("appid", 't', "1"),
            ("begin_time", 't', "1"),
            ("end_time", 't', "2"),
            ("event", 't', "record"),
            (
                "extra_params",
                'j',
                r#"{"Duration":36.50,"FileID":"5285890813218549789","TaskId":"t"}"#,
            ),
            ("replay_url", 't', "u"),
            ("stream_alias", 't', "a"),
        ],
        key: "60f494fb54aea9ba018f67184daf8a2484f7e82cb93d706b68c64dc2bfe8eb0c",
    },
    Vector {
        name: "extra_params as words, and times in other digits",
        body: "event=record&appid=1&stream_alias=a&replay_url=u&begin_time=-007&end_time=9223372036854775807&extra_params=extra_params",
        hashed: &[
            ("appid", 't', "1"),
            ("begin_time", 't', "-7"),
            ("end_time", 't', "9223372036854775807"),
            ("event", 't', "record"),
            ("extra_params", 't', "extra_params"),
            ("replay_url", 't', "u"),
            ("stream_alias", 't', "a"),
        ],
        key: "edc0e3136ad15d4ab690916488f5b3593ffd4b47dbdfac61f2b1a7c14121398d",
    },
    Vector {
        name: "times of ten digits that begin with zeros",
        body: "event=record&appid=1&stream_alias=a&replay_url=u&begin_time=0000000001&end_time=0000000002",
        hashed: &[
            ("appid", 't', "1"),
            ("begin_time", 't', "1"),
            ("end_time", 't', "2"),
            ("event", 't', "record"),
            ("replay_url", 't', "u"),
            ("stream_alias", 't', "a"),
        ],
        key: "e607abdabb9da4d8de27860533a69d25a152ddd48498988f462174e4a0f227a3",
    },
    Vector {
        name: "unknown fields, before, between and after the others",
        body: r#"{"zone":"z","event":"record","appid":"1","stream_alias":"a","replay_url":"u","begin_time":"1","end_time":"2","file":12345678901234567890123,"":true,"Z":"\u0000\u00e9\ud83c\udfa5","app":"x"}"#,
        hashed: &[
            ("", 't', "true"),
            ("Z", 't', "\0é🎥"),
            ("app", 't', "x"),
            ("appid", 't', "1"),
            ("begin_time", 't', "1"),
            ("end_time", 't', "2"),
            ("event", 't', "record"),
            ("file", 't', "12345678901234567890123"),
            ("replay_url", 't', "u"),
            ("stream_alias", 't', "a"),
            ("zone", 't', "z"),
        ],
        key: "31f517a9bbe52c453a018703f28ad23bd0d451a77fc64c1e0f6e0c31204fe8c6",
    },
    Vector {
        name: "an unknown name again and again, in a form",
        body: "rtmp_url%5B%5D=b&event=record&appid=1&stream_alias=a&replay_url=u&begin_time=1&end_time=2&rtmp_url[]=a&rtmp_url[]=&rtmp_url[]=%5B2,+1%5D",
        hashed: &[
            ("appid", 't', "1"),
            ("begin_time", 't', "1"),
            ("end_time", 't', "2"),
            ("event", 't', "record"),
            ("replay_url", 't', "u"),
            ("rtmp_url[]", 't', "b"),
            ("rtmp_url[]", 't', "a"),
            ("rtmp_url[]", 't', ""),
            ("rtmp_url[]", 'j', "[2,1]"),
            ("stream_alias", 't', "a"),
        ],
        key: "829c13edbfab357aee64ee880872a08de59462aaf4478378b465920a8328737e",
    },
    Vector {
        name: "nested JSON in an unknown field",
        body: "{\"event\":\"record\",\"appid\":\"1\",\"stream_alias\":\"a\",\"replay_url\":\"u\",\"begin_time\":\"1\",\"end_time\":\"2\",\n\"new\": [ {\"b\": -1.50e+3, \"a\\u0000\":\"\\u007f\\u001f\\/\\\"\\b\\u000b\", \"a\": null, \"b\":[ ]}, { }, \"\\u0041é\", [true , false] ]}",
        hashed: &[
            ("appid", 't', "1"),
            ("begin_time", 't', "1"),
            ("end_time", 't', "2"),
            ("event", 't', "record"),
            (
                "new",
                'j',
                "[{\"a\":null,\"a\\u0000\":\"\u{7f}\\u001f/\\\"\\b\\u000b\",\"b\":-1.50e+3,\"b\":[]},{},\"Aé\",[true,false]]",
            ),
            ("replay_url", 't', "u"),
            ("stream_alias", 't', "a"),
        ],
        key: "d4138498d78ee8218f2e57aca9cc0b62921ec90b4288ab983eb1cdea2917f77d",
    },
    Vector {
        name: "what only looks like JSON",
        body: r#"{"event":"record","appid":"1","stream_alias":"{\"b\":1, \"a\":2}","replay_url":"[2, 1]","begin_time":"1","end_time":"2","extra_params":"{\"a\": 1} trailing","new":" [1 ] ","scalar":"\"x\""}"#,
        hashed: &[
            ("appid", 't', "1"),
            ("begin_time", 't', "1"),
            ("end_time", 't', "2"),
            ("event", 't', "record"),
            ("extra_params", 't', r#"{"a": 1} trailing"#),
            ("new", 'j', "[1]"),
            ("replay_url", 't', "[2, 1]"),
            ("scalar", 't', "\"x\""),
            ("stream_alias", 't', r#"{"b":1, "a":2}"#),
        ],
        key: "9be49e6c51756487bf9c836d888a16bed48fa0cc039f6e337772864ae94446f8",
    },
];

const NOW: UnixSeconds = UnixSeconds::new(1_760_001_900);

fn secret() -> CallbackSecret {
    CallbackSecret::new("secret").unwrap()
}

fn signed(body: &str) -> String {
    let signature = sign(&secret(), "1760001893", "456789");
    if let Some(members) = body.strip_prefix('{') {
        return format!(
            r#"{{"timestamp":"1760001893","nonce":"456789","signature":"{signature}",{members}"#
        );
    }
    if let Some(members) = body.strip_prefix("%7B") {
        return format!(
            "%7B%22timestamp%22:1760001893,%22nonce%22:456789,%22signature%22:%22{signature}%22,{members}"
        );
    }
    format!("timestamp=1760001893&nonce=456789&signature={signature}&{body}")
}

/// SHA-256 over a line, and over each field: the length of its name, its name, its kind, the length of its
/// content, its content; lengths are 8 bytes with the highest first.
fn hash(fields: &[Field]) -> String {
    let mut hasher = Sha256::new();
    hasher.update("zego-record delivery 1\n");
    for (name, kind, content) in fields {
        hasher.update(u64::try_from(name.len()).unwrap().to_be_bytes());
        hasher.update(name);
        hasher.update([u8::try_from(*kind).unwrap()]);
        hasher.update(u64::try_from(content.len()).unwrap().to_be_bytes());
        hasher.update(content);
    }
    let hash = hasher.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_hashed_bytes_never_change() {
    let verifier = Verifier::builder().secret(secret()).build().unwrap();
    let mut wrong = Vec::new();
    for vector in VECTORS {
        let body = signed(vector.body);
        let read = || Unverified::read(body.as_bytes()).unwrap();
        let before_the_check = verifier.authenticate(read(), NOW).unwrap().delivery_key();
        let Ok(Verified::Record(callback)) = verifier.verify(body.as_bytes(), NOW) else {
            panic!("{}: not accepted", vector.name);
        };
        let keys = [
            hash(vector.hashed),
            before_the_check.to_string(),
            callback.delivery_key().to_string(),
        ];
        if keys.iter().any(|key| key != vector.key) {
            wrong.push((vector.name, keys));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_key_that_was_computed_before_the_check_is_passed_on() {
    let verifier = Verifier::builder().secret(secret()).build().unwrap();
    let body = signed(VECTORS[0].body);
    let unverified = Unverified::read(body.as_bytes()).unwrap();
    let authenticated = verifier.authenticate(unverified, NOW).unwrap();
    let key = authenticated.delivery_key();
    match verifier.check_content(authenticated).unwrap() {
        Verified::Record(callback) => assert_eq!(callback.delivery_key(), key),
        other => panic!("{other:?}"),
    }
}
