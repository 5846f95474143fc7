//! The doctor by table: a body, what it was signed with, and the mistake that must be named.

use md5::Md5;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use zego_record_core::UnixSeconds;
use zeroize::Zeroizing;

use super::doctor::{Case, Clock, examine};
use crate::secrets::Secret;

const SECRET: &str = "0123456789abcdef0123456789ABCDEF";
const SERVER_SECRET: &str = "fedcba98765432100123456789abcdef";
const TIMESTAMP: &str = "1760001893";
const NONCE: &str = "456789";

fn secret(name: &str, text: &str) -> Secret {
    Secret::new(name, Zeroizing::new(text.to_owned()))
}

fn body(timestamp: &str, nonce: &str, signature: &str) -> Vec<u8> {
    let fields = [
        ("event", "record"),
        ("appid", "1"),
        ("stream_alias", "a"),
        ("replay_url", "u"),
        ("begin_time", "1"),
        ("end_time", "2"),
        ("timestamp", timestamp),
        ("nonce", nonce),
        ("signature", signature),
    ];
    serde_urlencoded::to_string(fields).unwrap().into_bytes()
}

fn case(body: Vec<u8>) -> Case {
    Case {
        body,
        content_type: None,
        clock: Clock::At(UnixSeconds::new(1_760_001_900)),
        configured: vec![secret("ZEGO_CALLBACK_SECRET", SECRET)],
        others: vec![secret("server-secret", SERVER_SECRET)],
        computed: None,
    }
}

fn report(case: &Case) -> serde_json::Value {
    serde_json::to_value(examine(case).unwrap()).unwrap()
}

fn names(mistakes: &serde_json::Value) -> Vec<&str> {
    let list = mistakes.as_array().unwrap().iter();
    list.map(|mistake| mistake["name"].as_str().unwrap())
        .collect()
}

fn sha1(text: impl AsRef<[u8]>) -> String {
    hex::encode(Sha1::digest(text))
}

/// HMAC by its definition (RFC 2104), so that the crate is not compared with itself.
fn hmac<D: Digest>(key: &[u8], message: &[u8]) -> String {
    let pad = |byte: u8| -> Vec<u8> {
        let padded = key.iter().copied().chain(std::iter::repeat(0));
        padded.take(64).map(|key| key ^ byte).collect()
    };
    let inner = D::digest([pad(0x36), message.to_vec()].concat());
    hex::encode(D::digest([pad(0x5c), inner.to_vec()].concat()))
}

#[test]
fn each_usual_mistake_is_named() {
    let swapped_case: String = SECRET.to_uppercase();
    let sorted = format!("{SECRET}{TIMESTAMP}{NONCE}");
    // The secret begins with 0 and sorts first, so "secret, timestamp, nonce" is right here.
    let rows = [
        ("right", sha1(&sorted), vec![]),
        ("upper-case digits", sha1(&sorted).to_uppercase(), vec![]),
        (
            "ServerSecret",
            sha1(format!("{TIMESTAMP}{NONCE}{SERVER_SECRET}")),
            vec!["other_secret"],
        ),
        (
            "half of another secret",
            sha1(format!("{TIMESTAMP}{NONCE}{}", &SERVER_SECRET[..16])),
            vec!["secret_half"],
        ),
        (
            "line break",
            sha1(format!("{SECRET}\n{TIMESTAMP}{NONCE}")),
            vec!["secret_white_space"],
        ),
        (
            "carriage return",
            sha1(format!("{SECRET}\r\n{TIMESTAMP}{NONCE}")),
            vec!["secret_white_space"],
        ),
        (
            "quotes",
            sha1(format!("\"{SECRET}\"{TIMESTAMP}{NONCE}")),
            vec!["secret_quotes"],
        ),
        (
            "upper-case secret",
            sha1(format!("{swapped_case}{TIMESTAMP}{NONCE}")),
            vec!["secret_case"],
        ),
        (
            "decoded secret",
            sha1(
                [
                    &hex::decode(SECRET).unwrap()[..],
                    TIMESTAMP.as_bytes(),
                    NONCE.as_bytes(),
                ]
                .concat(),
            ),
            vec!["secret_hex_decoded"],
        ),
        (
            "numeric sort",
            sha1(format!("{SECRET}{NONCE}{TIMESTAMP}")),
            vec!["one_of_several"],
        ),
        (
            "descending sort",
            sha1(format!("{NONCE}{TIMESTAMP}{SECRET}")),
            vec!["one_of_several"],
        ),
        (
            "unsorted",
            sha1(format!("{TIMESTAMP}{NONCE}{SECRET}")),
            vec!["fixed_order"],
        ),
        (
            "separator",
            sha1(format!("{SECRET}&{TIMESTAMP}&{NONCE}")),
            vec!["separator"],
        ),
        (
            "milliseconds",
            sha1(format!("{SECRET}{TIMESTAMP}000{NONCE}")),
            vec!["milliseconds"],
        ),
        (
            "float in Go",
            sha1(format!("{SECRET}1.760001893e+09{NONCE}")),
            vec!["number_format"],
        ),
        (
            "floats in Python",
            sha1(format!("{SECRET}{TIMESTAMP}.0{NONCE}.0")),
            vec!["number_format"],
        ),
        ("MD5", hex::encode(Md5::digest(&sorted)), vec!["md5"]),
        (
            "SHA-256",
            hex::encode(Sha256::digest(&sorted)),
            vec!["sha256"],
        ),
        (
            "HMAC-SHA1",
            hmac::<Sha1>(SECRET.as_bytes(), format!("{TIMESTAMP}{NONCE}").as_bytes()),
            vec!["hmac_sha1"],
        ),
        (
            "HMAC-SHA256 over all",
            hmac::<Sha256>(SECRET.as_bytes(), sorted.as_bytes()),
            vec!["hmac_sha256"],
        ),
        (
            "two at once",
            sha1(format!("{SERVER_SECRET}{TIMESTAMP}{NONCE}")),
            vec!["other_secret", "fixed_order"],
        ),
        ("nothing known", sha1("something else"), vec![]),
    ];
    for (name, signature, expected) in rows {
        let report = report(&case(body(TIMESTAMP, NONCE, &signature)));
        assert_eq!(names(&report["mistakes"]), expected, "{name}: {report}");
        let accepted = name == "right" || name == "upper-case digits";
        assert_eq!(report["accepted"], accepted, "{name}: {report}");
        if !accepted {
            assert_eq!(report["verdict"], "bad_signature", "{name}: {report}");
            assert!(report["tried"].as_u64().unwrap() > 1, "{name}: {report}");
        }
        let text = report.to_string();
        for kept in [SECRET, SERVER_SECRET, &sha1(&sorted)] {
            assert!(
                !text.contains(kept),
                "{name} tells what it must not: {text}"
            );
        }
    }
}

#[test]
fn a_descending_sort_is_named_where_it_is_no_numeric_one() {
    // As numbers and as texts alike 1760001893 is before 9999999999.
    let signature = sha1(format!("9999999999{TIMESTAMP}{SECRET}"));
    let report = report(&case(body(TIMESTAMP, "9999999999", &signature)));
    let candidates = &report["mistakes"][0]["candidates"];
    let expected = serde_json::json!(["descending_sort", "fixed_order"]);
    assert_eq!(candidates, &expected, "{report}");
}

#[test]
fn percent_encoding_is_found_in_the_secret() {
    let mut case = case(body(
        TIMESTAMP,
        NONCE,
        &sha1(format!("{TIMESTAMP}{NONCE}a%2Bb")),
    ));
    case.configured = vec![secret("x", "a+b")];
    assert_eq!(
        names(&report(&case)["mistakes"]),
        ["secret_percent_encoded"]
    );
    case.configured = vec![secret("x", "a%252Bb")];
    assert_eq!(
        names(&report(&case)["mistakes"]),
        ["secret_percent_encoded"]
    );
}

#[test]
fn texts_that_no_receiver_takes_are_explained_too() {
    let sign = |timestamp: &str, nonce: &str| {
        let mut parts = [SECRET, timestamp, nonce];
        parts.sort_unstable();
        sha1(parts.concat())
    };
    for (name, timestamp, nonce, signature, expected) in [
        (
            "milliseconds, signed so",
            "1760001893000",
            NONCE,
            sign("1760001893000", NONCE),
            vec!["milliseconds"],
        ),
        (
            "milliseconds, signed in seconds",
            "1760001893000",
            NONCE,
            sign(TIMESTAMP, NONCE),
            vec!["milliseconds"],
        ),
        (
            "swapped",
            NONCE,
            TIMESTAMP,
            sign(TIMESTAMP, NONCE),
            vec!["swapped"],
        ),
        (
            "re-serialised by a log",
            "1.760001893e+09",
            NONCE,
            sign(TIMESTAMP, NONCE),
            vec!["number_format"],
        ),
        (
            "encoded twice",
            TIMESTAMP,
            "4567%38%39",
            sign(TIMESTAMP, NONCE),
            vec!["percent_encoded"],
        ),
        ("another nonce", TIMESTAMP, "a b", "0".repeat(40), vec![]),
    ] {
        let report = report(&case(body(timestamp, nonce, &signature)));
        assert_eq!(report["verdict"], "malformed", "{name}: {report}");
        assert_eq!(names(&report["mistakes"]), expected, "{name}: {report}");
    }
}

#[test]
fn the_row_of_the_table_is_told_with_its_reason() {
    let right = sha1(format!("{SECRET}{TIMESTAMP}{NONCE}"));
    let fresh = body(TIMESTAMP, NONCE, &right);
    let text = String::from_utf8(fresh.clone()).unwrap();
    let changed = |from: &str, to: &str| text.replace(from, to).into_bytes();
    for (name, body, now, verdict, status, word) in [
        ("fresh", fresh.clone(), 1_760_001_900, "accepted", 200, ""),
        (
            "old",
            fresh.clone(),
            1_760_009_999,
            "stale",
            401,
            "signature is right",
        ),
        (
            "ahead",
            fresh.clone(),
            1_750_000_000,
            "future",
            401,
            "signature is right",
        ),
        ("broken", b"{".to_vec(), 0, "malformed", 400, "JSON"),
        (
            "unsigned",
            changed("&signature=", "&x="),
            0,
            "unsigned",
            401,
            "signature",
        ),
        (
            "no url",
            changed("replay_url", "x"),
            1_760_001_900,
            "invalid",
            422,
            "replay_url",
        ),
        (
            "compose",
            changed("record", "compose"),
            1_760_001_900,
            "ignored",
            200,
            "",
        ),
        (
            "no hex",
            changed(&right, "xyz"),
            0,
            "bad_signature",
            401,
            "hexadecimal",
        ),
        (
            "long",
            vec![b'x'; 70_000],
            0,
            "body_too_large",
            413,
            "65536",
        ),
    ] {
        let mut case = case(body);
        case.clock = Clock::At(UnixSeconds::new(now));
        let report = report(&case);
        assert_eq!(report["verdict"], verdict, "{name}: {report}");
        assert_eq!(report["status"], status, "{name}: {report}");
        assert_eq!(report["accepted"], status == 200, "{name}: {report}");
        let reason = report["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(word), "{name}: {report}");
    }
    let mut old = case(fresh);
    old.clock = Clock::AnyAge;
    let report = report(&old);
    assert_eq!(report["event"]["stream_alias"], "a", "{report}");
}

#[test]
fn white_space_in_the_configured_secret_is_found_although_it_would_match_without() {
    let right = sha1(format!("{SECRET}{TIMESTAMP}{NONCE}"));
    for flawed in [
        format!("{SECRET}\n"),
        format!(" {SECRET}"),
        format!("{SECRET}\r"),
    ] {
        let mut case = case(body(TIMESTAMP, NONCE, &right));
        case.configured = vec![secret("ZEGO_CALLBACK_SECRET", &flawed)];
        let report = report(&case);
        assert_eq!(report["accepted"], false, "{report}");
        assert_eq!(
            names(&report["mistakes"]),
            ["secret_white_space"],
            "{report}"
        );
    }
    let mut quoted = case(body(TIMESTAMP, NONCE, &right));
    quoted.configured = vec![secret("x", &format!("'{SECRET}'"))];
    assert_eq!(names(&report(&quoted)["mistakes"]), ["secret_quotes"]);
    let mut rotation = case(body(TIMESTAMP, NONCE, &right));
    rotation.configured.insert(0, secret("x", "old\n"));
    assert_eq!(report(&rotation)["accepted"], true, "another one is flawed");
}

#[test]
fn a_signature_that_other_code_has_computed_is_examined_as_well() {
    let right = sha1(format!("{SECRET}{TIMESTAMP}{NONCE}"));
    for (computed, is_right, mistakes) in [
        (right.clone(), true, Some(vec![])),
        (
            sha1(format!("{SECRET}{NONCE}{TIMESTAMP}")),
            false,
            Some(vec!["one_of_several"]),
        ),
        ("xyz".to_owned(), false, None),
    ] {
        let mut case = case(body(TIMESTAMP, NONCE, &right));
        case.computed = Some(computed);
        let examined = examine(&case).unwrap();
        assert_eq!(examined.is_fine(), is_right);
        let report = serde_json::to_value(examined).unwrap();
        assert_eq!(report["computed"]["right"], is_right, "{report}");
        match mistakes {
            Some(expected) => assert_eq!(names(&report["computed"]["mistakes"]), expected),
            None => assert!(report["computed"]["mistakes"].is_null(), "{report}"),
        }
    }
}

#[test]
fn a_misleading_content_type_is_noted() {
    let right = sha1(format!("{SECRET}{TIMESTAMP}{NONCE}"));
    for (content_type, notes) in [
        ("application/x-www-form-urlencoded; charset=utf-8", 0),
        ("APPLICATION/X-WWW-FORM-URLENCODED", 0),
        ("application/json", 1),
        ("", 1),
    ] {
        let mut case = case(body(TIMESTAMP, NONCE, &right));
        case.content_type = Some(content_type.to_owned());
        let report = report(&case);
        assert_eq!(report["notes"].as_array().unwrap().len(), notes, "{report}");
    }
}

#[test]
fn an_empty_secret_is_a_configuration_error() {
    let mut case = case(body(TIMESTAMP, NONCE, "x"));
    case.configured = vec![secret("x", " \n")];
    assert!(examine(&case).is_err());
}

#[test]
fn what_is_found_fits_60_columns() {
    let signature = sha1(format!("{NONCE}{SERVER_SECRET}{TIMESTAMP}"));
    for signature in [&signature, &"0".repeat(40)] {
        let report = examine(&case(body(TIMESTAMP, NONCE, signature))).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut io = crate::io::Io {
            input: &mut std::io::empty(),
            out: &mut out,
            err: &mut err,
            out_color: false,
            err_color: false,
            progress: false,
            input_is_terminal: false,
            width: 60,
        };
        report.print(&mut io).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().count() > 2, "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 60, "{line:?}");
        }
    }
}
