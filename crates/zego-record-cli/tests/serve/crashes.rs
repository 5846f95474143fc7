//! The oracle: each `1` has its effect, whatever is killed meanwhile.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::process::{Place, Serve, wait_until};
use crate::zegocloud::{callback, now, post};

/// The long form: `ZEGO_SERVE_KILLS=200 cargo test -p zego-record-cli --test serve each_1`.
fn kills() -> usize {
    let kills = std::env::var("ZEGO_SERVE_KILLS").ok();
    kills.and_then(|kills| kills.parse().ok()).unwrap_or(8)
}

/// A fake ZEGOCLOUD that keeps each callback until it is answered with `1`, and signs each retry anew.
fn send_until_answered(target: &Mutex<SocketAddr>, stream: &str, give_up: &AtomicBool) -> bool {
    let mut request = callback(stream);
    while !give_up.load(Ordering::Relaxed) {
        let address = *target.lock().unwrap();
        match post(address, &request) {
            Ok((200, body)) => {
                assert_eq!(body, "1");
                return true;
            }
            Ok((status, body)) => assert!([503, 409].contains(&status), "{status} {body}"),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
        request = request.resigned(now());
    }
    false
}

#[test]
fn each_1_is_delivered_though_the_server_is_killed_again_and_again() {
    let seed = std::env::var("ZEGO_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("ZEGO_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let place = Place::new();
    // One request in twenty fails, one in twenty is dropped after its effect.
    let app = App::start(|number, _| match number % 20 {
        7 => "500 Oops".to_owned(),
        13 => String::new(),
        _ => "200 OK".to_owned(),
    });
    let url = app.url();
    let start = || -> Serve {
        place.serve(&[
            "--forward",
            &url,
            "--retry",
            "50ms,100ms,200ms,400ms,800ms,1s,1s,1s,1s,1s,1s",
            "--log",
            "error",
        ])
    };
    let mut serve = start();
    let target = Arc::new(Mutex::new(serve.address));
    let give_up = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(Mutex::new(Vec::new()));
    let next = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (target, give_up) = (Arc::clone(&target), Arc::clone(&give_up));
            let (answered, next) = (Arc::clone(&answered), Arc::clone(&next));
            thread::spawn(move || {
                while !give_up.load(Ordering::Relaxed) {
                    let stream = format!("stream-{}", next.fetch_add(1, Ordering::Relaxed));
                    if send_until_answered(&target, &stream, &give_up) {
                        answered.lock().unwrap().push(stream);
                    }
                }
            })
        })
        .collect();
    for _ in 0..kills() {
        let life = Duration::from_millis(random.u64(50..600));
        let end = Instant::now() + life;
        wait_until("its time is over", || Instant::now() >= end);
        serve.kill();
        serve = start();
        *target.lock().unwrap() = serve.address;
    }
    let enough = answered.lock().unwrap().len() + 20;
    wait_until("the last one takes callbacks", || {
        answered.lock().unwrap().len() >= enough
    });
    give_up.store(true, Ordering::Relaxed);
    senders
        .into_iter()
        .for_each(|sender| sender.join().unwrap());

    // What a killed server held is taken over when its lease has ended, after a minute.
    let expected: HashSet<_> = answered.lock().unwrap().iter().cloned().collect();
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let requests = app.requests();
        let delivered: HashSet<_> = requests.iter().map(|request| request.stream()).collect();
        let missing = expected.difference(&delivered).count();
        if missing == 0 {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{missing} of {} are lost",
            expected.len()
        );
        thread::sleep(Duration::from_millis(200));
    }
    let mut counts = HashMap::new();
    for request in app.requests() {
        *counts
            .entry(request.header("webhook-id").to_owned())
            .or_insert(0) += 1;
    }
    let repeats: usize = counts.values().map(|count| count - 1).sum();
    eprintln!(
        "{} kills, {} callbacks answered with 1, {} delivered, {repeats} requests more than once",
        kills(),
        expected.len(),
        counts.len()
    );
    assert_eq!(serve.stop().code(), Some(0));
}

#[test]
fn a_signature_that_was_seen_before_a_kill_is_known_after_it() {
    let place = Place::new();
    let genuine = callback("a");
    let serve = place.serve(&[]);
    assert_eq!(post(serve.address, &genuine).unwrap().0, 200);
    serve.kill();
    let serve = place.serve(&[]);
    let forged = genuine.tampered(|builder| builder.field("stream_alias", "b"));
    let answer = post(serve.address, &forged).unwrap();
    assert_eq!(answer, (422, "signature_reused".to_owned()));
    assert_eq!(
        post(serve.address, &genuine).unwrap(),
        (200, "1".to_owned())
    );
    assert_eq!(place.inbox_json(&["stats"])["waiting"], 1);
}
