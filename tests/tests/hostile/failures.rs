//! What has gone wrong in other receivers, in the field or in published crates; each test has the name
//! of its failure, and runs on every mount.

use zego_record_core::{CallbackSecret, Verdict, WireForm, sign};
use zego_record_testkit::Signing;
use zego_record_tests::{
    Connection, Running, SECRET, every_mount, every_receiver, now, request, send,
};

use crate::{answer, chunked, head, ok, on_mount, post, with_length};

const WRONG: [Signing; 6] = [
    Signing::Unsigned,
    Signing::Garbage,
    Signing::Truncated,
    Signing::OtherSecret,
    Signing::NumericSort,
    Signing::NoSort,
];

every_mount!(on_mount:
    a_bad_signature_is_never_answered_with_200,
    the_expected_signature_is_in_no_answer,
    a_check_is_not_skipped_because_a_signed_field_is_missing,
    a_short_signature_does_not_panic,
    an_unsigned_body_of_three_mebibytes_does_not_panic,
    a_body_that_breaks_off_does_not_panic,
    a_timestamp_of_i64_min_does_not_overflow,
    a_nonce_of_twenty_digits_does_not_become_a_float,
    a_form_that_is_labelled_json_is_read_and_the_reverse,
    the_second_file_of_a_stream_is_not_taken_for_a_duplicate,
);

every_receiver!(on_mount:
    a_slow_handler_that_is_retried_while_it_runs_does_its_work_once,
);

async fn a_bad_signature_is_never_answered_with_200(running: &Running) {
    for signing in WRONG {
        let forged = request("forged").signing(signing).build();
        let verdict = match signing {
            Signing::Unsigned => Verdict::Unsigned,
            _ => Verdict::BadSignature,
        };
        assert_eq!(post(running, &forged).await, answer(verdict), "{signing:?}");
    }
    assert_eq!(running.script.take_runs(), [""; 0]);
}

async fn the_expected_signature_is_in_no_answer(running: &Running) {
    let secret = CallbackSecret::new(SECRET).unwrap();
    for signing in WRONG {
        let forged = request("forged").signing(signing).build();
        let expected = sign(&secret, forged.timestamp(), forged.nonce()).to_string();
        let response = send(running.address, forged.into_http()).await;
        let received = format!("{:?} {:?}", response.headers(), response.body()).to_lowercase();
        // A part of it would help a forger, too.
        for private in [&expected[..8], &expected[32..], SECRET] {
            assert!(!received.contains(private), "{signing:?}: {received}");
        }
    }
}

async fn a_check_is_not_skipped_because_a_signed_field_is_missing(running: &Running) {
    for form in [WireForm::Json, WireForm::Form, WireForm::EncodedJson] {
        let base = request("unsigned").wire_form(form);
        for name in ["signature", "timestamp", "nonce"] {
            for request in [
                base.clone().without(name),
                base.clone().field(name, ""),
                base.clone().field_json(name, "null"),
            ] {
                let answered = post(running, &request.build()).await;
                assert_eq!(answered, answer(Verdict::Unsigned), "{form:?} {name}");
            }
        }
    }
    assert_eq!(running.script.take_runs(), [""; 0]);
}

async fn a_short_signature_does_not_panic(running: &Running) {
    let right = request("short").nonce("1").build();
    let right = right.signature().unwrap();
    for signature in ["5", "5b", &right[..39], &right[..20], &"é".repeat(20)] {
        let forged = request("short").nonce("1").field("signature", signature);
        let answered = post(running, &forged.build()).await;
        assert_eq!(answered, answer(Verdict::BadSignature), "{signature}");
    }
}

async fn an_unsigned_body_of_three_mebibytes_does_not_panic(running: &Running) {
    const LENGTH: usize = 3 << 20;
    let body = vec![b'a'; LENGTH];
    for bytes in [with_length(&body), chunked(&body, 1 << 16)] {
        let mut connection = Connection::open(running.address).await;
        connection.flood(&bytes, 1).await;
        let answered = connection.answer().await;
        assert_eq!(answered, Some(answer(Verdict::BodyTooLarge)));
    }
}

async fn a_body_that_breaks_off_does_not_panic(running: &Running) {
    let good = request("breaks-off").build();
    let mut broken = head("Transfer-Encoding: chunked").into_bytes();
    broken.extend(format!("{:x}\r\n", good.body().len() + 1).bytes());
    broken.extend(good.body());
    broken.extend(b"\r\nno chunk");
    let mut connection = Connection::open(running.address).await;
    connection.write(broken).await;
    let answered = connection.answer().await;
    assert_eq!(answered, Some(answer(Verdict::Malformed)));
    assert_eq!(running.script.take_runs(), [""; 0]);
}

async fn a_timestamp_of_i64_min_does_not_overflow(running: &Running) {
    for (timestamp, verdict) in [
        (i64::MIN.to_string(), Verdict::Malformed),
        (i64::MAX.to_string(), Verdict::Malformed),
        (i128::MIN.to_string(), Verdict::Malformed),
        ("9999999999".to_owned(), Verdict::Future),
        ("1000000000".to_owned(), Verdict::Stale),
    ] {
        let request = request("overflow").timestamp(timestamp.as_str());
        let number = request.clone().field_json("timestamp", timestamp.as_str());
        for request in [request, number] {
            let answered = post(running, &request.build()).await;
            assert_eq!(answered, answer(verdict), "{timestamp}");
        }
    }
    assert_eq!(running.script.take_runs(), [""; 0]);
}

async fn a_nonce_of_twenty_digits_does_not_become_a_float(running: &Running) {
    const NONCE: &str = "18446744073709551617";
    let request = request("digits").nonce(NONCE).field_json("nonce", NONCE);
    let request = request.field_json("appid", NONCE).build();
    assert_eq!(post(running, &request).await, ok());
    let runs = running.script.take_runs();
    assert_eq!(
        (&runs[0]["nonce"], &runs[0]["appid"]),
        (&NONCE.into(), &NONCE.into())
    );
}

async fn a_form_that_is_labelled_json_is_read_and_the_reverse(running: &Running) {
    let rows = [
        (WireForm::Form, Some("application/json")),
        (WireForm::Json, Some("application/x-www-form-urlencoded")),
        (
            WireForm::EncodedJson,
            Some("application/x-www-form-urlencoded"),
        ),
        (WireForm::Json, None),
    ];
    for (number, (form, label)) in rows.into_iter().enumerate() {
        let stream = format!("labelled-{number}");
        let request = request(&stream).wire_form(form).content_type(label);
        assert_eq!(
            post(running, &request.build()).await,
            ok(),
            "{form:?} {label:?}"
        );
        let runs = running.script.take_runs();
        assert_eq!(runs[0]["stream_alias"], stream.as_str());
    }
}

async fn the_second_file_of_a_stream_is_not_taken_for_a_duplicate(running: &Running) {
    let urls = ["mp4", "m3u8"].map(|format| format!("https://vod.example.com/a.{format}"));
    for url in &urls {
        let file = request("one-stream").field("replay_url", url.as_str());
        let file = file.field("extra_params", r#"{"TaskId":"one-task"}"#);
        assert_eq!(post(running, &file.build()).await, ok(), "{url}");
    }
    let runs = running.script.take_runs();
    let handled: Vec<_> = runs.iter().map(|run| &run["replay_url"]).collect();
    assert_eq!(handled, urls.each_ref());
}

async fn a_slow_handler_that_is_retried_while_it_runs_does_its_work_once(running: &Running) {
    let slow = request("waits-longer-than-the-sender").build();
    let first = tokio::spawn(send(running.address, slow.clone().into_http()));
    running.script.has_begun().await;
    for retry in [slow.clone(), slow.resigned(now())] {
        assert_eq!(post(running, &retry).await, answer(Verdict::InProgress));
    }
    running.script.go_on();
    assert_eq!(first.await.unwrap().status(), 200);
    assert_eq!(post(running, &slow).await, answer(Verdict::Duplicate));
    assert_eq!(running.script.take_runs().len(), 1);
}
