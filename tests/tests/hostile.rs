//! What nobody should send, on every mount, over a real socket. After each, the mount must still serve.

#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout)] // So that a failure names its mount.

#[path = "hostile/failures.rs"]
mod failures;

use std::time::Duration;

use zego_record_core::Verdict;
use zego_record_testkit::{SignedRequest, Signing};
use zego_record_tests::{Connection, Extent, MOUNTS, Running, receiver, request, send};

/// Far more than a mount may take in, and far less than the larger bodies here.
const SOCKET_BUFFERS: usize = 16 << 20;

/// Runs a test on every mount, and then sends a good request.
async fn on_every_mount(test: impl AsyncFn(&Running)) {
    for mount in MOUNTS {
        run(mount, &test).await;
    }
}

/// As [`on_every_mount`], for what an extractor alone does not promise.
async fn on_every_whole_road(test: impl AsyncFn(&Running)) {
    for mount in MOUNTS
        .iter()
        .filter(|mount| mount.extent == Extent::Receiver)
    {
        run(mount, &test).await;
    }
}

async fn run(mount: &zego_record_tests::Mount, test: &impl AsyncFn(&Running)) {
    println!("{mount:?}");
    let short = Duration::from_millis(300);
    let receiver = receiver()
        .body_deadline(short)
        .handler_timeout(short * 2)
        .build()
        .unwrap();
    let running = mount.start(receiver);
    test(&running).await;
    running.script.take_runs();
    assert_eq!(
        post(&running, &request("afterwards").build()).await,
        ok(),
        "{mount:?} serves afterwards"
    );
    assert_eq!(running.script.take_runs().len(), 1, "{mount:?}");
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

#[tokio::test]
async fn a_body_that_announces_too_much_is_rejected_before_it_is_sent() {
    on_every_mount(async |running| {
        for length in ["65537", "3145728", "67108864", "18446744073709551615"] {
            let mut connection = Connection::open(running.address).await;
            connection
                .write(head(&format!("Content-Length: {length}")))
                .await;
            // A length that no server can hold may be rejected by the framework itself.
            let (status, body) = connection.answer().await.unwrap();
            if length.len() < 20 || status == 413 {
                assert_eq!((status, body), answer(Verdict::BodyTooLarge), "{length}");
            } else {
                assert!((400..500).contains(&status), "{length}: {status}");
            }
        }
        assert_eq!(running.script.take_runs(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_chunked_body_that_does_not_end_is_rejected_without_being_taken_in() {
    on_every_mount(async |running| {
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
    })
    .await;
}

#[tokio::test]
async fn many_large_bodies_at_once_do_not_fill_the_memory() {
    on_every_mount(async |running| {
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
    })
    .await;
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

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    on_every_mount(async |running| {
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
    })
    .await;
}

#[tokio::test]
async fn a_chunked_body_does_not_hang() {
    on_every_mount(async |running| {
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
    })
    .await;
}

#[tokio::test]
async fn garbage_is_rejected_and_nothing_panics() {
    on_every_mount(async |running| {
        for body in [
            &b""[..],
            b"\0",
            b"{",
            b"\xff\xfe",
            b"%7B",
            b"[[[[",
            &b"{\"a\":".repeat(10_000),
        ] {
            let mut connection = Connection::open(running.address).await;
            connection.write(with_length(body)).await;
            let (status, code) = connection.answer().await.unwrap();
            assert!([400, 401].contains(&status), "{status} {code}");
        }
        assert_eq!(running.script.take_runs(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn other_methods_are_answered() {
    on_every_mount(async |running| {
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
    })
    .await;
}

#[tokio::test]
async fn one_connection_serves_through_rejections_pipelined_or_not() {
    on_every_mount(async |running| {
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
    })
    .await;
}

/// What follows a rejected head is the rest of its body and never a request of its own.
#[tokio::test]
async fn a_rejected_body_is_never_taken_for_a_request() {
    on_every_mount(async |running| {
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
        // Either the connection is closed, or what comes next is the answer to the empty request.
        assert!([None, Some(answer(Verdict::Unsigned))].contains(&connection.answer().await));
        assert_eq!(running.script.take_runs(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn forty_identical_requests_at_once_run_the_handler_once() {
    on_every_whole_road(async |running| {
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
    })
    .await;
}

#[tokio::test]
async fn a_client_may_leave_at_any_stage() {
    on_every_whole_road(async |running| {
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
    })
    .await;
}

#[tokio::test]
async fn each_end_of_a_handler_has_its_answer_and_failures_are_tried_again() {
    on_every_whole_road(async |running| {
        for (stream, code, again) in [
            ("fails", Verdict::HandlerFailed, true),
            ("panics", Verdict::HandlerFailed, true),
            ("hangs", Verdict::HandlerTimeout, true),
            ("discards", Verdict::Discarded, false),
        ] {
            let request = request(&format!("{stream}-as-told")).build();
            for _ in 0..2 {
                assert_eq!(post(running, &request).await.0, code.status(), "{stream}");
            }
            let runs = if again { 2 } else { 1 };
            assert_eq!(running.script.take_runs().len(), runs, "{stream}");
        }
        assert_eq!(running.receiver.counters().in_flight, 0);
    })
    .await;
}
