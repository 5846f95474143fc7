//! Clients that go away, at any byte and at any time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zego_record_core::Verdict;
use zego_record_tests::{Connection, Extent, Mount, every_mount, every_receiver, figures, request};

use crate::own_process::descriptors;
use crate::{Open, bytes_of, number, on_mount, until};

every_mount!(on_mount:
    disconnects_at_random_offsets_leave_nothing_behind,
    many_slow_bodies_do_not_delay_other_requests,
);
every_receiver!(on_mount:
    handlers_whose_clients_have_gone_come_to_their_end,
);

async fn disconnects_at_random_offsets_leave_nothing_behind(mount: &'static Mount) {
    let disconnects = number("FAULTS_DISCONNECTS", 1_000);
    let mut rng = fastrand::Rng::with_seed(4711);
    let open = Open::start(mount);
    assert_eq!(open.post(&request("before").build()).await, 200);
    until("the first handler has run", || {
        open.running.script.take_runs().len() == 1
    })
    .await;
    let before = descriptors();

    let mut complete = BTreeSet::new();
    for number in 0..disconnects {
        let stream = format!("gone-{number}");
        let bytes = bytes_of(&request(&stream).build());
        let sent = if rng.u8(..4) == 0 {
            bytes.len()
        } else {
            rng.usize(..bytes.len())
        };
        let mut connection = Connection::open(open.running.address).await;
        connection.write(&bytes[..sent]).await;
        if rng.bool() {
            // The server has the time to read what there is.
            tokio::task::yield_now().await;
        }
        if sent == bytes.len() {
            complete.insert(stream);
        }
    }

    // As ZEGOCLOUD does, whatever has happened to the first attempt.
    if mount.extent == Extent::Receiver {
        for stream in &complete {
            let retry = request(stream).build();
            while open.post(&retry).await != 200 {
                tokio::task::yield_now().await;
            }
        }
    }
    // A connection's task owns its descriptor, and a handler's task a permit.
    until("all connections are closed", || descriptors() <= before).await;
    open.nobody_in_flight().await;
    let runs = open.running.script.take_runs();
    let handled: BTreeSet<String> = runs
        .iter()
        .map(|callback| callback["stream_alias"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(handled.len(), runs.len(), "none runs twice");
    if mount.extent == Extent::Receiver {
        assert_eq!(handled, complete, "all that were sent have run");
        assert_eq!(open.store.len(), handled.len() + 1, "a record for each");
    }
    assert!(
        handled.is_subset(&complete),
        "none runs on a part of a request"
    );
    figures(
        "disconnects",
        format_args!(
            "{mount:?}: {disconnects}, {} of them after the whole request, {} done before the retry",
            complete.len(),
            open.answered(Verdict::Duplicate)
        ),
    );
}

async fn handlers_whose_clients_have_gone_come_to_their_end(mount: &'static Mount) {
    const CLIENTS: usize = 100;
    let open = Open::start(mount);
    let requests: Vec<_> = (0..CLIENTS)
        .map(|number| request(&format!("waits-{number}")).build())
        .collect();
    let mut connections = Vec::new();
    for request in &requests {
        let mut connection = Connection::open(open.running.address).await;
        connection.write(bytes_of(request)).await;
        connections.push(connection);
    }
    for _ in 0..CLIENTS {
        open.running.script.has_begun().await;
    }
    drop(connections);
    // The server may notice that the clients are gone, and must not mind.
    for request in &requests[..10] {
        assert_eq!(open.post(request).await, 409);
    }
    assert_eq!(open.running.receiver.counters().in_flight, CLIENTS);
    for _ in 0..CLIENTS {
        open.running.script.go_on();
    }
    open.nobody_in_flight().await;
    for request in &requests {
        assert_eq!(open.post(request).await, 200);
    }
    assert_eq!(open.answered(Verdict::Duplicate), CLIENTS as u64);
    assert_eq!(open.running.script.take_runs().len(), CLIENTS);
}

async fn many_slow_bodies_do_not_delay_other_requests(mount: &'static Mount) {
    const SLOW: usize = 200;
    let open = Open::start(mount);
    assert_eq!(open.post(&request("before").build()).await, 200);
    let before = descriptors();
    let bytes = bytes_of(&request("slow").build());
    let connected = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..SLOW)
        .map(|_| {
            let (bytes, address) = (bytes.clone(), open.running.address);
            let connected = Arc::clone(&connected);
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                connected.fetch_add(1, Ordering::SeqCst);
                let body_begins = bytes.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
                connection.write(&bytes[..body_begins]).await;
                for byte in &bytes[body_begins..body_begins + 10] {
                    connection.write([*byte]).await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                connection.answer().await.unwrap().0
            })
        })
        .collect();
    until("all slow clients are there", || {
        connected.load(Ordering::SeqCst) == SLOW
    })
    .await;
    let quick = request("quick").build();
    let quick = tokio::time::timeout(Duration::from_secs(5), open.post(&quick)).await;
    assert_eq!(quick.unwrap(), 200);
    for task in tasks {
        assert_eq!(task.await.unwrap(), 408);
    }
    assert_eq!(open.answered(Verdict::BodyTimeout), SLOW as u64);
    until("all connections are closed", || descriptors() <= before).await;
}
