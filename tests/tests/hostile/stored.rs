//! Signed content that a store may not like: it is handled once, also after a restart, and its signature
//! carries no other content.

use zego_record_core::{Verdict, WireForm};
use zego_record_testkit::RequestBuilder;
use zego_record_tests::{Kind, Place, every_store, mount, receiver, request};

use crate::{answer, block_on, ok, post};

every_store!(on_place:
    hostile_content_is_handled_once_and_remembered_across_a_restart,
);

fn on_place(kind: Kind, test: impl AsyncFnOnce(Place)) {
    block_on(async {
        if let Some(place) = Place::new(kind) {
            test(place).await;
        }
    });
}

async fn hostile_content_is_handled_once_and_remembered_across_a_restart(place: Place) {
    let table = table().map(|(name, edit)| {
        let request = edit(request(&format!("hostile-{}", name.len()))).build();
        (name, request)
    });
    for has_restarted in [false, true] {
        let receiver = place.open().await.remember(receiver());
        let running = mount("axum_route").start(receiver.build().unwrap());
        for (name, request) in &table {
            assert_eq!(post(&running, request).await, ok(), "{name}");
            let runs = running.script.take_runs();
            assert_eq!(runs.len(), usize::from(!has_restarted), "{name}");
            assert_eq!(post(&running, request).await, ok(), "{name}, again");
            let forged = request.tampered(|forged| forged.field("stream_alias", "forged"));
            let reused = answer(Verdict::SignatureReused);
            assert_eq!(post(&running, &forged).await, reused, "{name}, forged");
            assert_eq!(running.script.take_runs(), [""; 0], "{name}");
        }
        let counters = running.receiver.counters();
        let duplicates = if has_restarted { 2 } else { 1 } * table.len() as u64;
        assert_eq!(counters.answered(Verdict::Duplicate), duplicates);
    }
}

type Edit = fn(RequestBuilder) -> RequestBuilder;

/// The names differ in length, by which the streams differ.
fn table() -> [(&'static str, Edit); 12] {
    [
        ("U+0000 in an unknown field", |request| {
            request.field_json("custom", r#""a\u0000b""#)
        }),
        ("U+0000 in the name of a field", |request| {
            request.field_json("cus\0tom", "1")
        }),
        ("U+0000 deep in an unknown field", |request| {
            request.field_json("custom", r#"{"a":["\u0000",{"\u0000":null}]}"#)
        }),
        ("U+0000 in a form", |request| {
            request.wire_form(WireForm::Form).field("custom", "a\0b")
        }),
        ("control characters in an unknown field", |request| {
            request.field("custom", "\r\n\t\u{1b}[2J\u{7f}\u{85}\u{2028}")
        }),
        ("a URL of 60 KiB", |request| {
            let path = "a".repeat(60 << 10);
            request.field("replay_url", format!("https://vod.example.com/{path}"))
        }),
        ("a stream with a name of 40 KiB", |request| {
            request.field("stream_alias", "ä".repeat(20 << 10))
        }),
        ("SQL in each text of the event", |request| {
            const SQL: &str = r#"'); DROP TABLE zego_delivery; -- " \' $1 ?1 %s"#;
            request
                .field("stream_alias", SQL)
                .field("replay_url", format!("https://vod.example.com/{SQL}"))
        }),
        ("braces, as they mark a hash tag in Redis", |request| {
            request.field("replay_url", "https://vod.example.com/}{a}{}*?[a-z]")
        }),
        ("what is no character, and what is turned", |request| {
            request.field("stream_alias", "\u{ffff}\u{10ffff}\u{202e}\u{feff}👩‍👩‍👧")
        }),
        ("a hundred unknown fields", |request| {
            (0..100).fold(request, |request, number| {
                request.field_json(format!("f{number}"), "{}")
            })
        }),
        (
            "a number that is longer than any column could hold",
            |request| request.field_json("custom", "9".repeat(4_000)),
        ),
    ]
}
