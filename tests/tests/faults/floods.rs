//! More requests than anybody should send.

use std::thread;

use tokio::runtime::Builder;
use zego_record_core::{CallbackSecret, Verdict, sign};
use zego_record_receiver::MemoryGuard;
use zego_record_testkit::Signing;
use zego_record_tests::{Connection, Mount, SECRET, every_mount, figures, now, receiver, request};

use crate::own_process::resident_memory;
use crate::{Open, alone, bytes_of, number, on_mount};

/// What allocator and connections may keep.
const NOISE: usize = 2 << 20;

every_mount!(on_mount:
    a_flood_of_unsigned_and_forged_requests_leaves_no_trace_in_memory,
);

async fn a_flood_of_unsigned_and_forged_requests_leaves_no_trace_in_memory(mount: &'static Mount) {
    let flood = number("FAULTS_FLOOD", 600);
    let open = Open::start(mount);
    let mut connection = Connection::open(open.running.address).await;
    send_flood(&mut connection, 200).await;
    let before = resident_memory();
    send_flood(&mut connection, flood).await;
    let grown = resident_memory().saturating_sub(before);
    assert!(grown < NOISE, "{mount:?} has grown by {grown} bytes");
    assert!(open.store.is_empty() && open.guard.is_empty());
    assert!(open.running.script.take_runs().is_empty());
    for verdict in [Verdict::Unsigned, Verdict::BadSignature] {
        assert_eq!(open.answered(verdict), (100 + flood / 2) as u64);
    }
    figures(
        "flood",
        format_args!(
            "{mount:?}: {} unsigned or forged, grown by {grown} bytes",
            200 + flood
        ),
    );
}

/// Half of them unsigned, half forged, each with a content of its own, ten at a time: actix closes a
/// connection on which 128 KiB wait.
async fn send_flood(connection: &mut Connection, requests: usize) {
    // So long that it would be noticed if it was kept.
    let base = request("flood-00000000").field("padding", "x".repeat(8 << 10));
    let templates = [Signing::Unsigned, Signing::Garbage]
        .map(|signing| bytes_of(&base.clone().signing(signing).build()));
    for batch in 0..requests / 10 {
        let mut bytes = Vec::new();
        for number in 0..5 {
            let stream = format!("flood-{:08}", batch * 5 + number);
            for template in &templates {
                bytes.extend(renamed(template, stream.as_bytes()));
            }
        }
        connection.write(bytes).await;
        for _ in 0..10 {
            assert_eq!(connection.answer().await.unwrap().0, 401);
        }
    }
}

/// The same request with another content, without the cost of building it.
fn renamed(template: &[u8], stream: &[u8]) -> Vec<u8> {
    let mut bytes = template.to_vec();
    let at = bytes.windows(6).position(|name| name == b"flood-").unwrap();
    bytes[at..at + stream.len()].copy_from_slice(stream);
    bytes
}

#[test]
fn signed_requests_without_end_stay_inside_of_the_guards_bound() {
    alone(async {
        const CAPACITY: usize = 5_000;
        const THREADS: usize = 2;
        let signed = number("FAULTS_SIGNED", 60_000);
        let guard = MemoryGuard::with_capacity(CAPACITY);
        let receiver = receiver().guard(guard).build().unwrap();
        let secret = CallbackSecret::new(SECRET).unwrap();
        let verify = |numbers: std::ops::Range<usize>| {
            let runtime = Builder::new_current_thread().enable_time().build().unwrap();
            for number in numbers {
                let body = body(&secret, number, "genuine");
                let rejected = runtime
                    .block_on(receiver.pipeline().verify(body.as_bytes()))
                    .err();
                assert_eq!(
                    rejected.map(|rejection| rejection.verdict()),
                    None,
                    "request {number}"
                );
            }
        };
        let verify_all = |numbers: std::ops::Range<usize>| {
            thread::scope(|scope| {
                let share = numbers.len() / THREADS;
                for begin in numbers.step_by(share) {
                    scope.spawn(move || verify(begin..begin + share));
                }
            });
        };
        let warm_up = 4 * CAPACITY;
        verify_all(0..warm_up);
        let before = resident_memory();
        verify_all(warm_up..warm_up + signed);
        let grown = resident_memory().saturating_sub(before);
        assert!(grown < NOISE, "grown by {grown} bytes");

        let counters = receiver.counters();
        let kept = counters.verified - counters.guard_evictions;
        figures(
            "signed requests without end",
            format_args!("{} verified, {kept} remembered", counters.verified),
        );
        assert_eq!(counters.verified, (warm_up + signed) as u64);
        // The guard consists of parts that fill independently, all of which are full by now.
        assert!(kept <= CAPACITY as u64, "{kept} remembered");
        assert!(kept >= CAPACITY as u64 / 2, "{kept} remembered");

        // What has just come is still bound.
        let last = body(&secret, warm_up + signed, "genuine");
        assert!(receiver.pipeline().verify(last.as_bytes()).await.is_ok());
        let forged = last.replace("genuine", "forged");
        let rejected = receiver.pipeline().verify(forged.as_bytes()).await.err();
        assert_eq!(
            rejected.map(|rejection| rejection.verdict()),
            Some(Verdict::SignatureReused)
        );
    });
}

fn body(secret: &CallbackSecret, number: usize, stream: &str) -> String {
    let timestamp = now().to_string();
    let nonce = number.to_string();
    let signature = sign(secret, &timestamp, &nonce);
    format!(
        "event=record&appid=1&stream_alias={stream}&replay_url=u&begin_time=1&end_time=2&timestamp={timestamp}&nonce={nonce}&signature={signature}"
    )
}
