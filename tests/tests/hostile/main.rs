//! What nobody should send, on every mount, over a real socket. After each, the mount must still serve.
//! What a store has a part in runs with every store besides.

#![allow(clippy::unwrap_used)]

mod failures;
mod stored;

use std::time::Duration;

use tokio::runtime::Builder;
use zego_record_core::Verdict;
use zego_record_receiver::ReceiverBuilder;
use zego_record_testkit::{SignedRequest, Signing};
use zego_record_tests::{
    Connection, Kind, Mount, Place, Running, every_mount, every_receiver, every_store, mount,
    receiver, request, send,
};

/// Far more than a mount may take in, and far less than the larger bodies here.
const SOCKET_BUFFERS: usize = 16 << 20;

every_mount!(on_mount:
    a_body_that_announces_too_much_is_rejected_before_it_is_sent,
    a_chunked_body_that_does_not_end_is_rejected_without_being_taken_in,
    many_large_bodies_at_once_do_not_fill_the_memory,
    a_body_that_stalls_is_given_up,
    a_chunked_body_does_not_hang,
    garbage_is_rejected_and_nothing_panics,
    other_methods_are_rejected_with_allow,
    one_connection_serves_through_rejections_pipelined_or_not,
    a_rejected_body_is_never_taken_for_a_request,
);

every_receiver!(on_mount:
    forty_identical_requests_at_once_run_the_handler_once,
    a_client_may_leave_at_any_stage,
    each_outcome_of_a_handler_has_its_response_and_failures_are_tried_again,
);

every_store!(on_store:
    forty_identical_requests_at_once_run_the_handler_once,
    a_client_may_leave_at_any_stage,
    each_outcome_of_a_handler_has_its_response_and_failures_are_tried_again,
);

/// Runs a test on a mount, and then sends a good request.
fn on_mount(mount: &Mount, test: impl AsyncFnOnce(&Running)) {
    block_on(async {
        let running = mount.start(impatient().build().unwrap());
        run(running, test).await;
    });
}

/// As [`on_mount`], with a durable store behind axum.
fn on_store(kind: Kind, test: impl AsyncFnOnce(&Running)) {
    block_on(async {
        let Some(place) = Place::new(kind) else {
            return;
        };
        let receiver = place.open().await.remember(impatient());
        run(mount("axum_route").start(receiver.build().unwrap()), test).await;
    });
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

fn impatient() -> ReceiverBuilder {
    let short = Duration::from_millis(300);
    receiver().body_deadline(short).handler_timeout(short * 2)
}

async fn run(running: Running, test: impl AsyncFnOnce(&Running)) {
    test(&running).await;
    running.script.take_runs();
    let afterwards = request("afterwards").build();
    assert_eq!(post(&running, &afterwards).await, ok(), "serves afterwards");
    assert_eq!(running.script.take_runs().len(), 1);
}

async fn post(running: &Running, request: &SignedRequest) -> (u16, String) {
    let response = send(running.address, request.clone().into_http()).await;
    (
        response.status().as_u16(),
        String::from_utf8(response.into_body().to_vec()).unwrap(),
    )
}

fn ok() -> (u16, String) {
    answer(Verdict::Handled)
}

fn answer(verdict: Verdict) -> (u16, String) {
    (verdict.status(), verdict.body().to_owned())
}

fn head(framing: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: receiver.example\r\n{framing}\r\n\r\n")
}

fn with_length(body: &[u8]) -> Vec<u8> {
    let mut request = head(&format!("Content-Length: {}", body.len())).into_bytes();
    request.extend(body);
    request
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut request = head("Transfer-Encoding: chunked").into_bytes();
    for chunk in body.chunks(size) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

async fn a_body_that_announces_too_much_is_rejected_before_it_is_sent(running: &Running) {
    let announce = async |length: &str| {
        let mut connection = Connection::open(running.address).await;
        let head = head(&format!("Content-Length: {length}"));
        assert!(connection.write(head).await);
        connection.answer().await.unwrap()
    };
    for length in ["65537", "3145728", "67108864"] {
        assert_eq!(
            announce(length).await,
            answer(Verdict::BodyTooLarge),
            "{length}"
        );
    }
    // hyper accepts no such length, and responds by itself.
    let by_hyper = (431, String::new());
    let (status, body) = announce("18446744073709551615").await;
    assert!(
        (status, &body) == (by_hyper.0, &by_hyper.1)
            || (status, body.clone()) == answer(Verdict::BodyTooLarge),
        "{status} {body}"
    );
    assert_eq!(running.script.take_runs(), [""; 0]);
}

async fn a_chunked_body_that_does_not_end_is_rejected_without_being_taken_in(running: &Running) {
    let mut connection = Connection::open(running.address).await;
    connection.write(head("Transfer-Encoding: chunked")).await;
    let mut chunk = b"10000\r\n".to_vec();
    chunk.extend([b'a'; 0x10000]);
    chunk.extend(b"\r\n");
    let taken = connection.flood(&chunk, 64 << 20).await;
    assert!(taken < SOCKET_BUFFERS, "the server took {taken} bytes");
    assert_eq!(
        connection.answer().await,
        Some(answer(Verdict::BodyTooLarge))
    );
}

async fn many_large_bodies_at_once_do_not_fill_the_memory(running: &Running) {
    let before = resident_memory();
    let mut connections = Vec::new();
    for _ in 0..64 {
        let mut connection = Connection::open(running.address).await;
        connection.write(head("Transfer-Encoding: chunked")).await;
        connection
            .write(format!("400000\r\n{}", "a".repeat(1 << 16)))
            .await;
        connections.push(connection);
    }
    for connection in &mut connections {
        assert_eq!(
            connection.answer().await,
            Some(answer(Verdict::BodyTimeout))
        );
    }
    let grown = resident_memory().saturating_sub(before);
    assert!(grown < 64 << 20, "64 bodies of 4 MiB took {grown} bytes");
}

fn resident_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim()
        .strip_suffix(" kB")
        .unwrap()
        .parse::<usize>()
        .unwrap()
        * 1024
}

async fn a_body_that_stalls_is_given_up(running: &Running) {
    let body = request("a").build().body().to_vec();
    for framing in [
        format!("Content-Length: {}", body.len()),
        "Transfer-Encoding: chunked".to_owned(),
    ] {
        let mut connection = Connection::open(running.address).await;
        connection.write(head(&framing)).await;
        connection
            .write(if framing.contains("chunked") {
                &b"1\r\n{\r\n"[..]
            } else {
                &body[..10]
            })
            .await;
        assert_eq!(
            connection.answer().await,
            Some(answer(Verdict::BodyTimeout)),
            "{framing}"
        );
    }
}

async fn a_chunked_body_does_not_hang(running: &Running) {
    for size in [1, 7, 1_000] {
        let good = request(&format!("chunks-of-{size}")).build();
        let forged = request("forged").signing(Signing::Garbage).build();
        let mut connection = Connection::open(running.address).await;
        connection.write(chunked(forged.body(), size)).await;
        assert_eq!(
            connection.answer().await,
            Some(answer(Verdict::BadSignature)),
            "{size}"
        );
        connection.write(chunked(good.body(), size)).await;
        assert_eq!(connection.answer().await, Some(ok()), "{size}");
    }
    assert_eq!(running.script.take_runs().len(), 3);
}

async fn garbage_is_rejected_and_nothing_panics(running: &Running) {
    for (body, verdict) in [
        (&b""[..], Verdict::Unsigned),
        (b"\0", Verdict::Unsigned),
        (b"[[[[", Verdict::Unsigned),
        (b"{", Verdict::Malformed),
        (b"\xff\xfe", Verdict::Malformed),
        (b"%7B", Verdict::Malformed),
        (&b"{\"a\":".repeat(10_000), Verdict::Malformed),
    ] {
        let mut connection = Connection::open(running.address).await;
        assert!(connection.write(with_length(body)).await);
        assert_eq!(
            connection.answer().await,
            Some(answer(verdict)),
            "{}",
            body[..body.len().min(20)].escape_ascii()
        );
    }
    assert_eq!(running.script.take_runs(), [""; 0]);
}

async fn other_methods_are_rejected_with_allow(running: &Running) {
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = http::Request::builder()
            .method(method)
            .uri("/")
            .body(bytes::Bytes::new())
            .unwrap();
        let response = send(running.address, request).await;
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()["allow"], "POST", "{method}");
    }
}

async fn one_connection_serves_through_rejections_pipelined_or_not(running: &Running) {
    let requests = |round: &str| {
        let named = |name: &str| request(&format!("{round}-{name}"));
        [
            (named("first").build(), Verdict::Handled),
            (
                named("forged").signing(Signing::Garbage).build(),
                Verdict::BadSignature,
            ),
            (named("second").build(), Verdict::Handled),
            (named("stale").age(400).build(), Verdict::Stale),
            (named("third").build(), Verdict::Handled),
        ]
    };
    let mut connection = Connection::open(running.address).await;
    for (request, verdict) in requests("kept-alive") {
        connection.write(with_length(request.body())).await;
        assert_eq!(connection.answer().await, Some(answer(verdict)));
    }
    let requests = requests("pipelined");
    let pipelined: Vec<u8> = requests
        .iter()
        .flat_map(|(request, _)| with_length(request.body()))
        .collect();
    connection.write(pipelined).await;
    for (_, verdict) in requests {
        assert_eq!(connection.answer().await, Some(answer(verdict)));
    }
}

/// What follows a rejected head is the rest of its body and never a request of its own.
async fn a_rejected_body_is_never_taken_for_a_request(running: &Running) {
    let smuggled = with_length(request("smuggled").build().body());
    let mut body = vec![b'a'; 70_000 - smuggled.len()];
    body.extend(smuggled);
    let mut connection = Connection::open(running.address).await;
    connection.write(with_length(&body)).await;
    assert_eq!(
        connection.answer().await,
        Some(answer(Verdict::BodyTooLarge))
    );
    connection.write(with_length(b"")).await;
    assert!(connection.is_closed().await);
    assert_eq!(running.script.take_runs(), [""; 0]);
}

async fn forty_identical_requests_at_once_run_the_handler_once(running: &Running) {
    let request = request("waits-for-the-others").build();
    let address = running.address;
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let request = request.clone().into_http();
            tokio::spawn(async move { send(address, request).await.status().as_u16() })
        })
        .collect();
    running.script.has_begun().await;
    while running.receiver.counters().answered(Verdict::InProgress) < 39 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.script.go_on();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert_eq!(statuses[1..], [409; 39]);
    assert_eq!(running.script.take_runs().len(), 1);
}

async fn a_client_may_leave_at_any_stage(running: &Running) {
    let waiting = request("waits-while-the-client-leaves").build();
    let whole = with_length(waiting.body());
    let body_begins = whole.len() - waiting.body().len();
    for stage in [
        0,
        1,
        body_begins - 1,
        body_begins,
        body_begins + 10,
        whole.len() - 1,
    ] {
        let mut connection = Connection::open(running.address).await;
        connection.write(&whole[..stage]).await;
    }
    assert_eq!(running.script.take_runs(), [""; 0]);

    let mut connection = Connection::open(running.address).await;
    connection.write(&whole).await;
    running.script.has_begun().await;
    drop(connection);
    assert_eq!(post(running, &waiting).await, answer(Verdict::InProgress));
    running.script.go_on();
    while running.receiver.counters().in_flight > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(post(running, &waiting).await, answer(Verdict::Duplicate));
    assert_eq!(running.receiver.counters().answered(Verdict::Duplicate), 1);
    assert_eq!(running.script.take_runs().len(), 1);
}

async fn each_outcome_of_a_handler_has_its_response_and_failures_are_tried_again(
    running: &Running,
) {
    for (stream, verdict, runs) in [
        ("fails", Verdict::HandlerFailed, 2),
        ("panics", Verdict::HandlerFailed, 2),
        ("hangs", Verdict::HandlerTimeout, 2),
        ("discards", Verdict::Discarded, 1),
    ] {
        let request = request(&format!("{stream}-each-time")).build();
        for _ in 0..2 {
            let (status, body) = post(running, &request).await;
            assert_eq!(status, verdict.status(), "{stream}");
            // Behind a layer, a failure has the inner service's own body.
            assert_eq!(body == "1", verdict.is_success(), "{stream}: {body}");
        }
        assert_eq!(running.script.take_runs().len(), runs, "{stream}");
    }
    let counters = running.receiver.counters();
    assert_eq!(counters.answered(Verdict::HandlerFailed), 4);
    assert_eq!(counters.answered(Verdict::HandlerTimeout), 2);
    assert_eq!(counters.answered(Verdict::Duplicate), 1);
    assert_eq!(counters.in_flight, 0);
}
