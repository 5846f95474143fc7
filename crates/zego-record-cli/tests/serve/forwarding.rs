//! What the app gets, and what its answers mean.

use std::collections::HashSet;
use std::net::TcpListener;

use standardwebhooks::Webhook;

use crate::app::{App, FORWARD_SECRET, Forwarded};
use crate::process::{Place, wait_until};
use crate::zegocloud::{callback, post};

const FAST: &str = "20ms,40ms,80ms,80ms";

fn verify(secret: &str, request: &Forwarded) -> bool {
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, request.header(name).parse().unwrap());
    }
    Webhook::new(secret)
        .unwrap()
        .verify(&request.body, &headers)
        .is_ok()
}

#[test]
fn the_app_gets_a_signed_callback_as_documented() {
    let (place, app) = (Place::new(), App::content());
    let serve = place.serve(&["--forward", &app.url()]);
    assert_eq!(
        post(serve.address, &callback("lesson-7")).unwrap(),
        (200, "1".to_owned())
    );
    let requests = app.wait_for_count(1);
    let request = &requests[0];
    assert!(verify(FORWARD_SECRET, request), "by the published library");
    let mut forged = request.clone();
    forged.body[20] ^= 1;
    assert!(!verify(FORWARD_SECRET, &forged));

    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("zego-record-attempt"), "1");
    let id = request.header("webhook-id");
    assert_eq!(id.len(), 64);
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));

    let json = request.json();
    assert_eq!(json["type"], "zegocloud.record.completed");
    assert!(json["timestamp"].as_str().unwrap().ends_with('Z'));
    let data = json["data"].as_object().unwrap();
    let members: HashSet<_> = data.keys().map(String::as_str).collect();
    let expected = [
        "event_id",
        "appid",
        "stream_alias",
        "replay_url",
        "begin_time",
        "end_time",
        "timestamp",
        "nonce",
        "vendor",
        "task_id",
        "file_id",
        "duration",
        "file_size",
        "extra_params",
        "attempt",
        "changed",
    ];
    assert_eq!(members, HashSet::from(expected));
    assert_eq!(
        (&data["stream_alias"], &data["attempt"]),
        (&"lesson-7".into(), &1.into())
    );
    assert_eq!(data["begin_time"], 1_760_000_000);
    assert_eq!(json["fields"]["begin_time"], "1760000000");
    assert!(json["fields"].get("signature").is_none());
}

#[test]
fn a_callback_is_signed_with_every_secret_while_one_is_replaced() {
    let (place, app) = (Place::new(), App::content());
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let file = place.file("secrets", &format!("{other}\n{FORWARD_SECRET}\n"));
    let serve = place.serve(&["--forward", &app.url(), "--forward-secret-file", &file]);
    post(serve.address, &callback("a")).unwrap();
    let request = &app.wait_for_count(1)[0];
    assert!(verify(FORWARD_SECRET, request) && verify(other, request));
    assert!(!verify(
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        request
    ));
}

#[test]
fn forward_secrets_are_replaced_while_it_runs() {
    let (place, app) = (Place::new(), App::content());
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let file = place.file("secrets", FORWARD_SECRET);
    let serve = place.serve(&["--forward", &app.url(), "--forward-secret-file", &file]);
    post(serve.address, &callback("a")).unwrap();
    assert!(verify(FORWARD_SECRET, &app.wait_for_count(1)[0]));
    place.file("secrets", other);
    wait_until("the new secret is used", || {
        serve.log().contains("forward secrets were read again")
    });
    post(serve.address, &callback("b")).unwrap();
    let request = &app.wait_for_count(2)[1];
    assert!(verify(other, request) && !verify(FORWARD_SECRET, request));
    // What cannot be used replaces nothing.
    place.file("secrets", "hunter2");
    wait_until("the mistake is logged", || {
        serve.log().contains("old forward secrets stay")
    });
    post(serve.address, &callback("c")).unwrap();
    assert!(verify(other, &app.wait_for_count(3)[2]));
    assert!(!serve.log().contains("hunter2"));
}

#[test]
fn a_field_that_came_twice_is_an_array() {
    let (place, app) = (Place::new(), App::content());
    let serve = place.serve(&["--forward", &app.url()]);
    let request =
        zego_record_testkit::RequestBuilder::new(crate::zegocloud::SECRET, crate::zegocloud::now())
            .add_field("rtmp_url[]", "a")
            .add_field("rtmp_url[]", "b\u{0}")
            .wire_form(zego_record_core::WireForm::Form)
            .build();
    assert_eq!(post(serve.address, &request).unwrap().0, 200);
    let fields = app.wait_for_count(1)[0].json()["fields"].clone();
    assert_eq!(fields["rtmp_url[]"], serde_json::json!(["a", "b\u{0}"]));
}

#[test]
fn anything_but_a_2xx_is_tried_again_under_the_same_id() {
    let place = Place::new();
    let app = App::start(|number, _| match number {
        1 => "500 Oops".to_owned(),
        2 => "302 Found\r\nlocation: http://127.0.0.1:9/".to_owned(),
        3 => "404 Not Found".to_owned(),
        4 => String::new(),
        _ => "204 No Content".to_owned(),
    });
    let serve = place.serve(&["--forward", &app.url(), "--retry", FAST]);
    post(serve.address, &callback("a")).unwrap();
    let requests = app.wait_for_count(5);
    let ids: HashSet<_> = requests
        .iter()
        .map(|request| request.header("webhook-id"))
        .collect();
    assert_eq!(ids.len(), 1);
    for (request, attempt) in requests.iter().zip(1..) {
        assert_eq!(request.header("zego-record-attempt"), attempt.to_string());
        assert!(verify(FORWARD_SECRET, request));
    }
    wait_until("done", || place.inbox_json(&["stats"])["done"] == 1);
    let id = requests[0].header("webhook-id");
    let shown = place.inbox(&["show", &id[..8]]);
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in ["500: text of the app", "302", "404", "done 204"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
}

#[test]
fn what_is_gone_or_never_taken_is_a_dead_letter_and_can_be_redelivered() {
    let place = Place::new();
    let app = App::start(|_, request| match request.stream().as_str() {
        "gone" => "410 Gone".to_owned(),
        "broken" => "500 Oops".to_owned(),
        _ => "200 OK".to_owned(),
    });
    let serve = place.serve(&["--forward", &app.url(), "--retry", "20ms,20ms"]);
    for stream in ["gone", "broken", "fine"] {
        post(serve.address, &callback(stream)).unwrap();
    }
    wait_until("dead", || {
        let stats = place.inbox_json(&["stats"]);
        (&stats["dead"], &stats["done"]) == (&2.into(), &1.into())
    });
    let of = |stream: &str| {
        app.requests()
            .iter()
            .filter(|one| one.stream() == stream)
            .count()
    };
    assert_eq!((of("gone"), of("broken"), of("fine")), (1, 3, 1));

    // Nobody has agreed.
    let output = place.run(&["inbox", "redeliver", "--state", "dead"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("2 callbacks match"), "{said}");
    assert_eq!((output.status.code(), of("gone")), (Some(1), 1));

    assert_eq!(
        place.inbox(&["redeliver", "--state", "dead", "--yes"]),
        "2 redelivered\n"
    );
    let requests = app.wait_for("the same callbacks again", |requests| {
        requests.iter().filter(|one| one.stream() == "gone").count() == 2
    });
    let id = |number: usize| {
        let all = app.requests();
        let gone = all.iter().filter(|one| one.stream() == "gone").nth(number);
        gone.unwrap().header("webhook-id").to_owned()
    };
    assert!(requests.len() > 4 && id(0) == id(1));
    wait_until("dead again", || place.inbox_json(&["stats"])["dead"] == 2);
    place.inbox(&["redeliver", &id(0)[..8], "--new-id"]);
    app.wait_for("it comes under another id", |requests| {
        requests.iter().filter(|one| one.stream() == "gone").count() == 3
    });
    assert_eq!(id(2), format!("{}-1", id(0)));
}

#[test]
fn a_destination_that_is_down_spends_no_attempts_of_those_that_wait() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/");
    let serve = place.serve(&["--forward", &url, "--retry", "50ms,50ms,50ms,50ms,50ms"]);
    for index in 0..40 {
        post(serve.address, &callback(&format!("stream-{index}"))).unwrap();
    }
    // Many times as long as the schedule lasts.
    wait_until("it is noticed", || serve.log().contains("given back"));
    std::thread::sleep(std::time::Duration::from_secs(3));
    let metrics = crate::zegocloud::get(serve.admin, "/metrics").unwrap().1;
    assert!(
        metrics.contains("zego_record_destination_down 1"),
        "{metrics}"
    );
    let stats = place.inbox_json(&["stats"]);
    assert_eq!((&stats["dead"], &stats["done"]), (&0.into(), &0.into()));
    let app = App::start_at(TcpListener::bind(address).unwrap(), |_, _| {
        "200 OK".to_owned()
    });
    app.wait_for("all callbacks", |requests| {
        requests
            .iter()
            .map(Forwarded::stream)
            .collect::<HashSet<_>>()
            .len()
            == 40
    });
    wait_until("all are done", || {
        place.inbox_json(&["stats"])["done"] == 40
    });
}

#[test]
fn retry_after_is_honoured() {
    let place = Place::new();
    let app = App::start(|_, _| "503 Later\r\nretry-after: 86400".to_owned());
    let serve = place.serve(&["--forward", &app.url(), "--retry", "10ms,10ms,10ms"]);
    post(serve.address, &callback("a")).unwrap();
    app.wait_for_count(1);
    wait_until("it waits", || place.inbox_json(&["stats"])["waiting"] == 1);
    let line = place.inbox_json(&["list"]);
    let due = humantime::parse_rfc3339(line["due_at"].as_str().unwrap()).unwrap();
    let wait = due.duration_since(std::time::SystemTime::now()).unwrap();
    assert!((86_000..=86_400).contains(&wait.as_secs()), "{wait:?}");
    drop(serve);
}
