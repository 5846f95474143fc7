//! Bodies of the user's own for what is rejected.

#![allow(clippy::unwrap_used)]

mod common;

use common::builder;
use zego_record_core::Verdict;
use zego_record_receiver::RejectionBody;

#[test]
fn a_content_type_that_is_no_header_value_never_reaches_a_header() {
    for (content_type, expected) in [
        ("application/json", "application/json"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("text/plain\r\nset-cookie: a=b", "application/octet-stream"),
        ("text/plain\0", "application/octet-stream"),
        ("text/plain\u{7f}", "application/octet-stream"),
        ("téxt/plain", "application/octet-stream"),
    ] {
        let receiver = builder()
            .rejection_body(move |verdict| RejectionBody::new(content_type, verdict.code()))
            .build()
            .unwrap();
        let reply = receiver.pipeline().reply(Verdict::Stale);
        assert_eq!(reply.content_type(), expected, "{content_type:?}");
        assert_eq!((reply.status(), &reply.body()[..]), (401, &b"stale"[..]));
    }
}

#[test]
fn what_is_answered_1_stays_1() {
    let receiver = builder()
        .rejection_body(|_| RejectionBody::json("{}"))
        .build()
        .unwrap();
    for (verdict, body, content_type) in [
        (Verdict::Handled, "1", "text/plain"),
        (Verdict::Duplicate, "1", "text/plain"),
        (Verdict::Ignored, "1", "text/plain"),
        (Verdict::HandlerFailed, "{}", "application/json"),
    ] {
        let reply = receiver.pipeline().reply(verdict);
        assert_eq!(&reply.body()[..], body.as_bytes(), "{verdict}");
        assert_eq!(reply.content_type(), content_type, "{verdict}");
        assert_eq!(reply.verdict(), verdict);
    }
}
