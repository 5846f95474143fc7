//! The sender over a transport that is a function, on a clock that stands still unless it is waited for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use tokio::sync::Notify;
use tokio::time::Instant;
use zego_record_core::{CallbackSecret, UnixSeconds, Verified, Verifier};
use zeroize::Zeroizing;

use super::*;
use crate::secrets::Secret;

const NOW: UnixSeconds = UnixSeconds::new(1_760_000_000);
const SEED: u64 = 20_261_124;

/// What a receiver got: when, under which signature, with what in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Received {
    at: Duration,
    body: Vec<u8>,
    pace: Pace,
    dropped: bool,
}

impl Received {
    /// As a receiver with the real secret and a clock that agrees sees it.
    fn verdict(&self) -> Result<Verified, &'static str> {
        let secret = CallbackSecret::new("secret").unwrap();
        let verifier = Verifier::builder().secret(secret).build().unwrap();
        verifier
            .verify(&self.body, NOW.saturating_add(self.at))
            .map_err(|rejection| rejection.verdict().code())
    }

    fn field(&self, name: &str) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        body[name].as_str().unwrap_or_default().to_owned()
    }
}

/// Answers the n-th request, counted from 1, with what a function says.
struct Scripted<F> {
    began: Instant,
    received: Arc<Mutex<Vec<Received>>>,
    took: Duration,
    script: F,
}

impl<F: Fn(usize, &Received) -> u16 + Send + Sync + 'static> Transport for Scripted<F> {
    async fn send(&self, outgoing: Outgoing) -> Reply {
        let received = Received {
            at: self.began.elapsed(),
            body: outgoing.request.body().to_vec(),
            pace: outgoing.pace,
            dropped: outgoing.drop_answer.is_some(),
        };
        let number = {
            let mut all = self.received.lock().unwrap();
            all.push(received.clone());
            all.len()
        };
        tokio::time::sleep(self.took).await;
        if outgoing.drop_answer.is_some() {
            return Reply::Dropped;
        }
        let status = (self.script)(number, &received);
        Reply::answer(status, "")
    }
}

/// A run by its options, over a script.
struct Run {
    options: Vec<&'static str>,
    took: Duration,
}

impl Run {
    fn new(options: &[&'static str]) -> Self {
        Self {
            options: options.to_vec(),
            took: Duration::ZERO,
        }
    }

    async fn with(
        self,
        script: impl Fn(usize, &Received) -> u16 + Send + Sync + 'static,
    ) -> (Vec<Delivery>, Vec<Received>) {
        #[derive(Parser)]
        struct Cli {
            #[command(flatten)]
            content: crate::content::ContentArgs,
            #[arg(long, default_value_t = 1)]
            count: u64,
            #[arg(long)]
            resign: bool,
            #[arg(long)]
            rate: Option<f64>,
            #[arg(long, default_value_t = 1)]
            concurrency: usize,
            #[arg(long)]
            fault: Vec<FaultShare>,
        }
        println!("seed {SEED}");
        let cli = Cli::parse_from(std::iter::once("test").chain(self.options));
        let secret = Secret::new("test", Zeroizing::new("secret".to_owned()));
        let received = Arc::default();
        let transport = Scripted {
            began: Instant::now(),
            received: Arc::clone(&received),
            took: self.took,
            script,
        };
        let pacing = Pacing {
            resign: cli.resign,
            rate: cli.rate,
            concurrency: cli.concurrency,
            ..Pacing::new(Schedule::new(1.0).unwrap())
        };
        let callbacks = Callbacks::new(secret, cli.content, None);
        let plan = Plan::new(SEED, cli.count, &cli.fault);
        let sender = Sender::new(transport, callbacks, pacing, NOW);
        let deliveries = sender.run(&plan, std::future::pending()).await;
        let received = received.lock().unwrap().clone();
        (deliveries, received)
    }
}

fn seconds(received: &[Received]) -> Vec<u64> {
    received
        .iter()
        .map(|received| received.at.as_secs())
        .collect()
}

fn verdicts(deliveries: &[Delivery]) -> Vec<(Kind, Verdict, usize)> {
    let deliveries = deliveries.iter();
    deliveries
        .map(|d| (d.kind, d.verdict, d.attempts.len()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_nobody_takes_is_sent_six_times_and_lost() {
    let (deliveries, received) = Run::new(&[]).with(|_, _| 500).await;
    assert_eq!(seconds(&received), [0, 2, 6, 14, 30, 62]);
    assert_eq!(verdicts(&deliveries), [(Kind::Callback, Verdict::Lost, 6)]);
    assert!(
        received.iter().all(|r| r.body == received[0].body),
        "one triple for all"
    );
    assert!(received.iter().all(|r| r.verdict().is_ok()));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_recovers_gets_it_by_a_retry() {
    let script = |number, _: &Received| if number < 3 { 503 } else { 204 };
    let (deliveries, received) = Run::new(&["--resign"]).with(script).await;
    assert_eq!(seconds(&received), [0, 2, 6]);
    assert_eq!(
        verdicts(&deliveries),
        [(Kind::Callback, Verdict::Delivered, 3)]
    );
    for (number, received) in received.iter().enumerate() {
        let Ok(Verified::Record(callback)) = received.verdict() else {
            panic!("attempt {number} is rejected");
        };
        let expected = NOW.saturating_add(received.at);
        assert_eq!(
            callback.timestamp(),
            expected,
            "attempt {number} is signed anew"
        );
    }
    assert_ne!(received[0].field("nonce"), received[1].field("nonce"));
    assert_eq!(
        received[0].field("replay_url"),
        received[1].field("replay_url")
    );
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_answers_times_out() {
    let mut run = Run::new(&[]);
    run.took = Duration::from_secs(3_600);
    let (deliveries, received) = run.with(|_, _| 200).await;
    assert_eq!(seconds(&received), [0, 10, 20, 30, 46, 78]);
    assert_eq!(verdicts(&deliveries), [(Kind::Callback, Verdict::Lost, 6)]);
    assert!(
        deliveries[0]
            .attempts
            .iter()
            .all(|a| a.reply == Reply::TimedOut)
    );
}

#[tokio::test(start_paused = true)]
async fn a_dropped_answer_is_followed_by_a_retry() {
    let (deliveries, received) = Run::new(&["--fault", "drop-answer"]).with(|_, _| 200).await;
    assert_eq!(seconds(&received), [0, 2]);
    assert_eq!([received[0].dropped, received[1].dropped], [true, false]);
    assert_eq!(
        verdicts(&deliveries),
        [(Kind::Callback, Verdict::Delivered, 2)]
    );
}

#[tokio::test(start_paused = true)]
async fn duplicates_come_at_once_or_later_and_must_arrive_as_well() {
    let options = &[
        "--fault",
        "duplicate",
        "--count",
        "40",
        "--concurrency",
        "2",
    ];
    let (deliveries, received) = Run::new(options).with(|_, _| 200).await;
    assert_eq!((deliveries.len(), received.len()), (80, 80));
    assert!(deliveries.iter().all(|d| d.verdict == Verdict::Delivered));
    for number in 0..40 {
        let stream = format!("stream-{number}");
        let both = received
            .iter()
            .filter(|r| r.field("stream_alias") == stream);
        let bodies: Vec<_> = both.map(|r| &r.body).collect();
        assert_eq!(bodies.len(), 2, "{stream}");
        assert_eq!(bodies[0], bodies[1], "{stream}");
    }
    let (deliveries, _) = Run::new(&["--fault", "duplicate"])
        .with(|number, _| if number == 1 { 200 } else { 409 })
        .await;
    let duplicate = (Kind::Duplicate, Verdict::Lost, 6);
    assert!(verdicts(&deliveries).contains(&duplicate), "{deliveries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tampered_request_follows_the_delivery_under_the_same_triple() {
    let options = &["--fault", "tamper", "--resign"];
    let script = |number, _: &Received| [500, 200, 422][number - 1];
    let (deliveries, received) = Run::new(options).with(script).await;
    assert_eq!(
        verdicts(&deliveries),
        [
            (Kind::Callback, Verdict::Delivered, 2),
            (Kind::Tampered, Verdict::Rejected, 1)
        ]
    );
    let [_, delivered, tampered] = &received[..] else {
        panic!("{received:?}");
    };
    for field in ["timestamp", "nonce", "signature"] {
        assert_eq!(delivered.field(field), tampered.field(field), "{field}");
    }
    assert_ne!(delivered.field("replay_url"), tampered.field("replay_url"));
    assert!(tampered.verdict().is_ok(), "its signature is right");

    // A plain receiver cannot know, and is told so.
    let (deliveries, _) = Run::new(&["--fault", "tamper"]).with(|_, _| 200).await;
    assert_eq!(deliveries[1].verdict, Verdict::WronglyAccepted);
    // What was never delivered is no triple that somebody could have seen.
    let (deliveries, _) = Run::new(&["--fault", "tamper"]).with(|_, _| 500).await;
    assert_eq!(verdicts(&deliveries), [(Kind::Callback, Verdict::Lost, 6)]);
}

#[tokio::test(start_paused = true)]
async fn what_must_be_rejected_is_rejected_for_its_own_reason() {
    for (fault, kind, expected) in [
        ("stale", Kind::Stale, "stale"),
        ("future", Kind::Future, "future"),
        ("bad-signature", Kind::BadSignature, "bad_signature"),
        ("unsigned", Kind::Unsigned, "unsigned"),
    ] {
        let control = (Kind::Control, Verdict::Delivered, 1);
        let script = |number, _: &Received| if number == 1 { 200 } else { 401 };
        let (deliveries, received) = Run::new(&["--fault", fault]).with(script).await;
        assert!(received[0].verdict().is_ok(), "{fault}");
        for received in &received[1..] {
            assert_eq!(received.verdict().err(), Some(expected), "{fault}");
        }
        assert_eq!(
            verdicts(&deliveries)[..2],
            [control, (kind, Verdict::Rejected, 1)]
        );
        let (deliveries, _) = Run::new(&["--fault", fault]).with(|_, _| 200).await;
        assert_eq!(
            verdicts(&deliveries)[..2],
            [control, (kind, Verdict::WronglyAccepted, 1)]
        );
    }
    let script = |number, _: &Received| if number == 1 { 200 } else { 413 };
    let (deliveries, received) = Run::new(&["--fault", "oversize"]).with(script).await;
    assert!(received[1].body.len() > 1024 * 1024);
    assert!(
        received[1].verdict().is_ok(),
        "it is rejected for its length alone"
    );
    assert_eq!(
        verdicts(&deliveries)[1..],
        [(Kind::Oversize, Verdict::Rejected, 1)]
    );
}

#[tokio::test(start_paused = true)]
async fn order_pace_and_rate_are_those_of_the_plan() {
    let options = &[
        "--count",
        "50",
        "--rate",
        "10",
        "--fault",
        "reorder:0.3",
        "--fault",
        "slow:0.5",
    ];
    let (_, received) = Run::new(options).with(|_, _| 200).await;
    let faults = ["reorder:0.3", "slow:0.5"].map(|fault| fault.parse().unwrap());
    let plan = Plan::new(SEED, 50, &faults);
    let expected = (0..).zip(plan.steps()).map(|(position, step)| {
        (
            Duration::from_millis(position * 100),
            format!("stream-{}", step.index),
            step.pace,
        )
    });
    let got = received
        .iter()
        .map(|r| (r.at, r.field("stream_alias"), r.pace));
    assert_eq!(got.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_run_at_once_than_allowed_and_those_that_wait_do_not_count() {
    let mut run = Run::new(&["--count", "10", "--concurrency", "3"]);
    run.took = Duration::from_secs(1);
    let script = |number, _: &Received| if number <= 3 { 500 } else { 200 };
    let (deliveries, received) = run.with(script).await;
    // Three fail at 1 s and wait until 2 s, the schedule's gap from 0; others take their place.
    for second in 0..6 {
        let running = seconds(&received)
            .iter()
            .filter(|at| **at == second)
            .count();
        assert!(
            running <= 3,
            "{running} at {second} s: {:?}",
            seconds(&received)
        );
    }
    assert_eq!(seconds(&received).len(), 13);
    assert_eq!(
        seconds(&received)[3..6],
        [1, 1, 1],
        "{:?}",
        seconds(&received)
    );
    assert!(deliveries.iter().all(|d| d.verdict == Verdict::Delivered));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_returns_what_was_done() {
    let secret = Secret::new("test", Zeroizing::new("secret".to_owned()));
    let received = Arc::default();
    let stop = Arc::new(Notify::new());
    let stopping = Arc::clone(&stop);
    let transport = Scripted {
        began: Instant::now(),
        received: Arc::clone(&received),
        took: Duration::from_millis(1),
        script: move |number, _: &Received| {
            if number == 3 {
                stopping.notify_one();
            }
            if number == 2 { 500 } else { 200 }
        },
    };
    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        content: crate::content::ContentArgs,
    }
    let callbacks = Callbacks::new(secret, Cli::parse_from(["test"]).content, None);
    let pacing = Pacing::new(Schedule::new(1.0).unwrap());
    let sender = Sender::new(transport, callbacks, pacing, NOW);
    let plan = Plan::new(SEED, 100, &[]);
    let deliveries = sender
        .run(&plan, async move { stop.notified().await })
        .await;
    let delivered = deliveries
        .iter()
        .filter(|d| d.verdict == Verdict::Delivered);
    let done: Vec<u64> = delivered.map(|d| d.callback).collect();
    assert!(done.starts_with(&[0]) && !done.contains(&1), "{done:?}");
    let unfinished = deliveries.iter().find(|d| d.callback == 1).unwrap();
    assert_eq!(
        (unfinished.verdict, unfinished.attempts.len()),
        (Verdict::Unfinished, 1)
    );
    assert!(received.lock().unwrap().len() <= 4);
}
