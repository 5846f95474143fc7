//! Who sends: each callback until it is answered with success, at ZEGOCLOUD's times; duplicates of it; and
//! somebody who has seen a request and sends other content under its signature.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use zego_record_core::Verdict;
use zego_record_testkit::{SignedRequest, Signing};
use zego_record_tests::{now, request, try_send};

use crate::killer::{Event, Killer};
use crate::plan::Plan;

/// The pauses before the attempts, in seconds.
const PAUSES_BETWEEN: [u64; 6] = [0, 2, 4, 8, 16, 32];
const IN_FLIGHT: usize = 16;

pub(crate) struct Zegocloud {
    plan: Plan,
    proxy: SocketAddr,
    events: Sender<Event>,
    killed: watch::Receiver<usize>,
    rng: Mutex<Rng>,
    sent: Mutex<Sent>,
    in_flight: Semaphore,
}

/// How often each answer was given; without an answer, the process was killed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent(BTreeMap<String, usize>);

impl Zegocloud {
    pub(crate) fn new(plan: Plan, proxy: SocketAddr, killer: &Killer, seed: u64) -> Self {
        Self {
            plan,
            proxy,
            events: killer.events(),
            killed: killer.killed(),
            rng: Mutex::new(Rng::with_seed(seed)),
            sent: Mutex::default(),
            in_flight: Semaphore::new(IN_FLIGHT),
        }
    }

    /// Sends all callbacks, and fails if one is not answered with success at last.
    pub(crate) async fn send(self: Arc<Self>) -> Sent {
        let tasks: Vec<_> = (0..self.plan.callbacks)
            .map(|number| tokio::spawn(Arc::clone(&self).send_one(number)))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        self.sent.lock().unwrap().clone()
    }

    async fn send_one(self: Arc<Self>, number: usize) {
        let enough = self.plan.kills_before(number);
        let mut killed = self.killed.clone();
        killed.wait_for(|killed| *killed >= enough).await.unwrap();
        let first_attempt = self.in_flight.acquire().await.unwrap();
        self.events.send(Event::Sent(number)).unwrap();
        let genuine = request(&self.plan.stream(number)).build();
        if self.is_chosen() {
            let forged = request("forged").signing(Signing::OtherSecret).build();
            self.expect(&forged, Verdict::BadSignature).await;
        }
        if self.is_chosen() {
            // Two at once: one of them is handled.
            tokio::join!(self.attempt(&genuine), self.attempt(&genuine));
        }
        let mut first_attempt = Some(first_attempt);
        let (mut answers, acknowledged) = (Vec::new(), Some((200, "1".to_owned())));
        for pause in PAUSES_BETWEEN {
            sleep(Duration::from_secs(pause)).await;
            let resigned = self.rng.lock().unwrap().bool();
            let attempt = if resigned {
                genuine.resigned(now())
            } else {
                genuine.clone()
            };
            answers.push(self.attempt(&attempt).await);
            drop(first_attempt.take());
            if answers.last() == Some(&acknowledged) {
                break;
            }
        }
        assert_eq!(
            answers.last(),
            Some(&acknowledged),
            "callback {number}: {answers:?}"
        );
        // Its signature has reached the guard by now, whichever attempt was acknowledged.
        self.expect(&genuine, Verdict::Duplicate).await;
        if self.is_chosen() {
            let tampered = genuine.tampered(|request| request.field("stream_alias", "tampered"));
            self.expect(&tampered, Verdict::SignatureReused).await;
        }
    }

    /// Sends until somebody takes it, and compares the answer.
    async fn expect(&self, request: &SignedRequest, verdict: Verdict) {
        let mut last = None;
        for pause in PAUSES_BETWEEN {
            sleep(Duration::from_secs(pause)).await;
            last = self.attempt(request).await;
            let is_taken = |answer: &(u16, String)| ![409, 503].contains(&answer.0);
            if last.as_ref().is_some_and(is_taken) {
                break;
            }
        }
        let expected = (verdict.status(), verdict.body().to_owned());
        let body = String::from_utf8_lossy(request.body());
        assert_eq!(last, Some(expected), "{body}");
    }

    async fn attempt(&self, request: &SignedRequest) -> Option<(u16, String)> {
        let answer = try_send(self.proxy, request.clone().into_http()).await.ok();
        let answer = answer.map(|response| {
            let body = String::from_utf8(response.body().to_vec()).unwrap();
            (response.status().as_u16(), body)
        });
        let name = match &answer {
            None => "no answer".to_owned(),
            Some((status, body)) => format!("{status} {body}"),
        };
        *self.sent.lock().unwrap().0.entry(name).or_default() += 1;
        answer
    }

    /// One in ten.
    fn is_chosen(&self) -> bool {
        self.rng.lock().unwrap().u8(..10) == 0
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests: usize = self.0.values().sum();
        write!(f, "{requests} requests:")?;
        let answers = self.0.iter();
        answers
            .into_iter()
            .try_for_each(|(answer, count)| write!(f, " {count} x {answer};"))
    }
}
