//! The client that sends probes: genuine ones until they are delivered, forged ones once.

use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Method;
use tokio::time::{Instant, sleep_until, timeout};
use zego_record_core::{UnixSeconds, Unverified, Vendor, WireForm, sign};
use zego_record_testkit::{RequestBuilder, SignedRequest};

use crate::secrets::Secret;
use crate::send::{
    DropAnswer, HttpTransport, Kind, Outgoing, Pace, RejectedStatuses, Reply, Schedule, Transport,
    describe, nonce,
};

/// Handlers that have not run for this long are taken to be done.
const SETTLED: Duration = Duration::from_millis(400);

/// How long a receiver may put off its handlers.
const PATIENCE_FOR_RUNS: Duration = Duration::from_secs(3);

/// How long a receiver may take.
pub(super) struct Patience {
    pub(super) schedule: Schedule,
    pub(super) timeout: Duration,
    pub(super) patience: Duration,
}

pub(super) struct Client {
    transport: HttpTransport,
    runs: Option<HttpTransport>,
    secret: Secret,
    patience: Patience,
    rejected: RejectedStatuses,
    /// What the control has shown to be accepted, so that one broken promise does not break them all.
    base: (WireForm, u64),
    streams: Cell<u64>,
    salt: u64,
    other_bodies: RefCell<Vec<String>>,
}

impl Client {
    pub(super) fn new(
        transport: HttpTransport,
        runs: Option<HttpTransport>,
        secret: Secret,
        patience: Patience,
        rejected: RejectedStatuses,
    ) -> Self {
        Self {
            transport,
            runs,
            secret,
            patience,
            rejected,
            base: (WireForm::Json, 2),
            streams: Cell::new(0),
            salt: fastrand::u64(..),
            other_bodies: RefCell::default(),
        }
    }

    pub(super) fn url(&self) -> String {
        self.transport.url().to_string()
    }

    pub(super) fn secret_text(&self) -> &str {
        self.secret.text()
    }

    pub(super) fn now(&self) -> UnixSeconds {
        SystemTime::now().into()
    }

    /// 2xx answers whose body was not `1`.
    pub(super) fn other_bodies(&self) -> usize {
        self.other_bodies.borrow().len()
    }

    /// Finds a wire form and a kind of nonce that the receiver takes, if there is one.
    pub(super) async fn find_control(&mut self) -> Result<(), String> {
        let mut reasons = Vec::new();
        for form in [WireForm::Json, WireForm::Form] {
            for kind in [2, 1, 3, 4] {
                self.base = (form, kind);
                match self.deliver(self.recording().build()).await {
                    Ok(()) => return Ok(()),
                    Err(reason) => reasons.push(reason),
                }
                if reasons
                    .last()
                    .is_some_and(|reason| reason.contains("no connection"))
                {
                    return Err(reasons.swap_remove(0));
                }
            }
        }
        let advice = if reasons[0].contains("401") || reasons[0].contains("403") {
            ": is the same secret configured on both sides, and are the three strings sorted as bytes?"
        } else {
            ": is this the URL of the receiver?"
        };
        Err(format!("{}{advice}", reasons.swap_remove(0)))
    }

    /// A recording of its own, in a form that the control has shown to be accepted.
    pub(super) fn recording(&self) -> RequestBuilder {
        let number = self.streams.replace(self.streams.get() + 1);
        let (form, kind) = self.base;
        let stream = format!("check-{:08x}-{number}", self.salt >> 32);
        RequestBuilder::new(self.secret.text(), self.now())
            .wire_form(form)
            .vendor(Vendor::Tencent)
            .nonce(self.nonce(kind))
            .field("stream_alias", stream.as_str())
            .field(
                "replay_url",
                format!("https://vod.example.com/{stream}.mp4"),
            )
    }

    /// A nonce of one of the kinds, not used before.
    pub(super) fn nonce(&self, kind: u64) -> String {
        let mut rng = fastrand::Rng::new();
        match kind {
            // Longer than those that were seen, because a run needs many within a second.
            0 | 2 => rng.u64(200_000_000..=999_999_999).to_string(),
            // After every timestamp, as bytes and as a number.
            4 => format!("9{:018}", rng.u64(..1_000_000_000_000_000_000)),
            other => nonce(other, 0, &mut rng),
        }
    }

    /// Sends a genuine request until it is delivered, or returns what came back instead.
    pub(super) async fn deliver(&self, request: SignedRequest) -> Result<(), String> {
        self.deliver_as(request, Pace::Whole, None).await
    }

    pub(super) async fn deliver_as(
        &self,
        request: SignedRequest,
        pace: Pace,
        drop_first: Option<DropAnswer>,
    ) -> Result<(), String> {
        let began = Instant::now();
        let mut drop_answer = drop_first;
        let mut replies: Vec<Reply> = Vec::new();
        loop {
            let sent = began.elapsed();
            let mut outgoing = Outgoing::new(request.clone().into_http());
            outgoing.pace = pace;
            outgoing.drop_answer = drop_answer.take();
            let reply = self.send(outgoing).await;
            if let (true, Reply::Answer { status, body, .. }) = (reply.is_success(), &reply) {
                if *status != 200 || body != "1" {
                    self.other_bodies.borrow_mut().push(body.clone());
                }
                return Ok(());
            }
            let (asks_for_time, is_final) = (asks_for_time(&reply), is_final(&reply));
            replies.push(reply);
            let now = began.elapsed();
            let retry = self.patience.schedule.retry_at(replies.len(), sent, now);
            let next = match retry {
                _ if is_final && replies.len() >= 2 => None,
                Some(at) => Some(at),
                // As long as ZEGOCLOUD would wait, whatever the speed.
                None if asks_for_time && now < self.patience.patience => {
                    Some(now + Duration::from_millis(500))
                }
                None => None,
            };
            match next {
                Some(at) => sleep_until(began + at).await,
                None => return Err(summary(&replies)),
            }
        }
    }

    /// Sends a forged request once. It is fine if it was rejected.
    pub(super) async fn reject(
        &self,
        request: http::Request<Bytes>,
        kind: Kind,
    ) -> Result<(), String> {
        let expected = self.expected_signature(request.body());
        let reply = self.send(Outgoing::new(request)).await;
        if let Reply::Answer { status, body, .. } = &reply {
            if body.contains(self.secret.text()) {
                return Err(format!("the answer {status} contains the callback secret"));
            }
            if expected.is_some_and(|expected| body.contains(&expected)) {
                return Err(format!(
                    "the answer {status} contains the expected signature"
                ));
            }
        }
        match &reply {
            reply if reply.is_success() => Err(format!("accepted: {}", describe(reply))),
            Reply::Answer { status, .. } if self.rejected.prove(kind, *status) => Ok(()),
            Reply::Broken(_) if kind == Kind::Oversize => Ok(()),
            reply => Err(format!("{} is no rejection", describe(reply))),
        }
    }

    /// Sends a request once.
    pub(super) async fn once(&self, request: http::Request<Bytes>) -> Reply {
        self.send(Outgoing::new(request)).await
    }

    /// Whether this reply rejects a request of this kind.
    pub(super) fn is_rejection(&self, reply: &Reply, kind: Kind) -> bool {
        matches!(reply, Reply::Answer { status, .. } if self.rejected.prove(kind, *status))
    }

    /// The signature that would be right for this body. One that was sent is not a secret.
    fn expected_signature(&self, body: &[u8]) -> Option<String> {
        let unverified = Unverified::read(body).ok()?;
        let secret = self.secret.to_callback_secret().ok()?;
        let expected = sign(&secret, unverified.timestamp()?, unverified.nonce()?).to_string();
        (unverified.signature() != Some(&expected)).then_some(expected)
    }

    async fn send(&self, outgoing: Outgoing) -> Reply {
        let reply = timeout(self.patience.timeout, self.transport.send(outgoing)).await;
        reply.unwrap_or(Reply::TimedOut)
    }

    pub(super) fn reports_runs(&self) -> bool {
        self.runs.is_some()
    }

    /// How often the handler has run; `None` if the receiver does not report it.
    pub(super) async fn runs(&self) -> Option<u64> {
        let transport = self.runs.as_ref()?;
        let mut request = http::Request::new(Bytes::new());
        *request.method_mut() = Method::GET;
        let reply = timeout(
            self.patience.timeout,
            transport.send(Outgoing::new(request)),
        )
        .await;
        let Ok(Reply::Answer {
            status: 200..=299,
            body,
            ..
        }) = reply
        else {
            return None;
        };
        let json = || serde_json::from_str::<serde_json::Value>(&body).ok()?["runs"].as_u64();
        body.trim().parse().ok().or_else(json)
    }

    /// The runs when they no longer change, since a handler may run after the answer.
    pub(super) async fn settled_runs(&self) -> Option<u64> {
        let began = Instant::now();
        let mut runs = self.runs().await?;
        loop {
            sleep_until(Instant::now() + SETTLED).await;
            let now = self.runs().await?;
            if now == runs || began.elapsed() > PATIENCE_FOR_RUNS {
                return Some(now);
            }
            runs = now;
        }
    }

    /// Waits a while for the runs to come to what is expected, and for those beyond.
    pub(super) async fn runs_since(&self, before: u64, expected: u64) -> Option<u64> {
        let began = Instant::now();
        while self.runs().await?.saturating_sub(before) < expected
            && began.elapsed() < PATIENCE_FOR_RUNS
        {
            sleep_until(Instant::now() + Duration::from_millis(100)).await;
        }
        Some(self.settled_runs().await?.saturating_sub(before))
    }
}

fn asks_for_time(reply: &Reply) -> bool {
    match reply {
        Reply::Answer { status, .. } => matches!(status, 409 | 425 | 429 | 503),
        Reply::Unreachable(_) => false,
        _ => true,
    }
}

/// An answer that a repetition will not change.
fn is_final(reply: &Reply) -> bool {
    matches!(
        reply,
        Reply::Answer {
            status: 300..=499,
            ..
        }
    ) && !asks_for_time(reply)
}

fn summary(replies: &[Reply]) -> String {
    let parts = replies.chunk_by(|one, other| one == other).map(|alike| {
        let text = describe(&alike[0].clone().shortened());
        if alike.len() == 1 {
            text
        } else {
            format!("{text} x{}", alike.len())
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}
