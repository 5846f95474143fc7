//! Performs the scenario: a receiver on one side, a sender on the other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use zego_record_core::{CallbackSecret, ConfigError, Verdict, Verifier};
use zego_record_receiver::{Delivery, HandlerError, Receiver};

use super::scenario::{Scene, Sender, scenario};
use crate::error::Error;
use crate::send::{
    Attempt, HttpTransport, Kind, Next, Outgoing, RejectedStatuses, Reply, Schedule, Transport,
    next,
};
use crate::server;
use crate::tls::TlsArgs;

/// What has come of a scene.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What was to be shown.
    pub scene: Scene,
    /// The answer to each attempt: status and body.
    pub answers: Vec<(u16, String)>,
    /// How often the handler was run.
    pub runs: usize,
}

impl Outcome {
    /// Whether every answer and every run was as it must be.
    pub fn is_fine(&self) -> bool {
        let expected = &self.scene.expected;
        let answers = expected
            .iter()
            .map(|verdict| (verdict.status(), verdict.body().to_owned()));
        let runs = expected.iter().filter(|verdict| {
            matches!(
                verdict,
                Verdict::Handled | Verdict::Discarded | Verdict::HandlerFailed
            )
        });
        self.answers.iter().cloned().eq(answers) && self.runs == runs.count()
    }
}

/// Performs all scenes of the scenario, on loopback, with this secret and retries on this schedule.
///
/// # Errors
///
/// If there is no port to listen on, or the server fails.
pub async fn perform(secret: &str, schedule: Schedule) -> Result<Vec<Outcome>, Error> {
    let runs = Runs::default();
    let receiver = verifier(secret).and_then(|verifier| Receiver::builder(verifier).build());
    let receiver = receiver.map_err(no_receiver)?;
    let (listener, address) = server::bind("port", ([127, 0, 0, 1], 0).into()).await?;
    let app = server::app(receiver.clone(), {
        let runs = runs.clone();
        move |delivery| handle(delivery, runs.clone())
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async move {
        let _ = stopped.await;
        receiver.shutdown().await;
    };
    let serving = tokio::spawn(server::serve(listener, app, |_, _| {}, until));

    let transport = HttpTransport::new(
        &format!("http://{address}/zego/record"),
        1,
        &TlsArgs::default(),
    )?;
    let mut outcomes = Vec::new();
    for scene in scenario(secret, SystemTime::now().into()) {
        let answers = send(&transport, &scene, schedule).await;
        outcomes.push(Outcome {
            scene,
            answers,
            runs: runs.take(),
        });
    }
    drop(transport);
    drop(stop);
    serving
        .await
        .map_err(|error| Error::with_source("the server has failed", error))?;
    Ok(outcomes)
}

async fn send(transport: &HttpTransport, scene: &Scene, schedule: Schedule) -> Vec<(u16, String)> {
    let began = Instant::now();
    let rejected = RejectedStatuses::default();
    let mut attempts = Vec::new();
    loop {
        let outgoing = Outgoing::new(scene.request.clone());
        let sent = began.elapsed();
        let reply = transport.send(outgoing).await;
        attempts.push(Attempt::new(sent, began.elapsed(), reply));
        match next(Kind::Callback, &attempts, schedule, &rejected) {
            Next::Retry(at) if scene.sender == Sender::Zegocloud => sleep_until(began + at).await,
            _ => break,
        }
    }
    attempts
        .into_iter()
        .map(|attempt| answer(attempt.reply))
        .collect()
}

/// The status and body that came back; 0 and what has happened instead.
pub(super) fn answer(reply: Reply) -> (u16, String) {
    match reply {
        Reply::Answer { status, body, .. } => (status, body),
        other => (0, format!("{other:?}")),
    }
}

pub(super) fn verifier(secret: &str) -> Result<Verifier, ConfigError> {
    Verifier::builder()
        .secret(CallbackSecret::new(secret)?)
        .build()
}

pub(super) fn no_receiver(error: ConfigError) -> Error {
    Error::with_source("cannot set up the receiver", error)
}

async fn handle(delivery: Delivery, runs: Runs) -> Result<(), HandlerError> {
    runs.count();
    match (delivery.callback().stream_alias(), delivery.attempt()) {
        ("fails-twice", 1 | 2) => Err(HandlerError::retry("the database is away")),
        ("panics-once", 1) => std::panic::resume_unwind(Box::new("a bug")),
        ("not-ours", _) => Err(HandlerError::discard("a stream of somebody else")),
        _ => Ok(()),
    }
}

/// How often the handler was run.
#[derive(Clone, Debug, Default)]
struct Runs(Arc<Mutex<usize>>);

impl Runs {
    fn count(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn take(&self) -> usize {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[tokio::test]
    async fn every_line_is_as_documented() {
        let outcomes = perform(SECRET, Schedule::new(1_000.0).unwrap())
            .await
            .unwrap();
        assert_eq!(outcomes.len(), 16 + 3 + 6 + 10);
        for outcome in &outcomes {
            assert!(outcome.is_fine(), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_line_that_is_not_as_documented_is_not_fine() {
        let outcomes = perform(SECRET, Schedule::new(1_000.0).unwrap())
            .await
            .unwrap();
        for outcome in outcomes {
            let mut wrong_answer = outcome.clone();
            wrong_answer.answers[0].0 += 1;
            let mut wrong_body = outcome.clone();
            wrong_body.answers[0].1.push('\n');
            let mut another_answer = outcome.clone();
            another_answer.answers.push((200, "1".to_owned()));
            let mut another_run = outcome;
            another_run.runs += 1;
            for wrong in [wrong_answer, wrong_body, another_answer, another_run] {
                assert!(!wrong.is_fine(), "{wrong:?}");
            }
        }
    }
}
