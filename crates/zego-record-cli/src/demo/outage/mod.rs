//! The second act: an app behind an inbox that is down, is killed and has a bug, and still gets everything.
//!
//! The inbox's clock is moved by hand, from one attempt to the next, so that days take no time. Everything
//! else is real: the receiver, the worker, and the sockets between them and the app. The inbox is in memory,
//! as a stand-in for a database: it outlives the worker that is killed.

mod app;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zego_record_axum::inbox;
use zego_record_core::Verdict;
use zego_record_inbox::{
    Delivery, Entry, EntryState, Filter, InboxStore, MemoryInbox, Plan, Schedule, Worker,
};
use zego_record_receiver::{Clock, HandlerError, Receiver, StoreError};
use zego_record_testkit::{ManualClock, RequestBuilder};

use super::stage::{answer, no_receiver, verifier};
use crate::error::Error;
use crate::send::{HttpTransport, Outgoing, Reply, Transport};
use crate::server;
use crate::tls::TlsArgs;
use app::{App, FINDS_A_BUG, IS_KILLED, WORKER_IS_KILLED};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// The default schedule without jitter, from its first attempt to the last.
const ALL_ATTEMPTS: Duration = Duration::from_secs(272_555);
const DAYS: Duration = Duration::from_secs(4 * 24 * 60 * 60);

/// What has come of the outage.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outage {
    /// One line for each thing that was done.
    pub scenes: Vec<InboxScene>,
    /// How many callbacks the inbox has answered with `1` and kept.
    pub accepted: u64,
    /// How many of them the app has in the end.
    pub arrived: usize,
}

impl Outage {
    /// Whether everything was as it must be, and nothing was lost.
    pub fn is_fine(&self) -> bool {
        self.has_arrived() && self.scenes.iter().all(InboxScene::is_fine)
    }

    /// How many requests ZEGOCLOUD has sent.
    pub(super) fn requests(&self) -> usize {
        let answers = self.scenes.iter().map(|scene| &scene.fate.answer);
        answers.flatten().count()
    }

    /// Whether the app has all that was answered with `1`.
    pub fn has_arrived(&self) -> bool {
        usize::try_from(self.accepted) == Ok(self.arrived)
    }
}

/// One line of the outage.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InboxScene {
    /// What is done.
    pub name: &'static str,
    /// What it shows.
    pub promise: &'static str,
    /// What must come of it.
    pub expected: Fate,
    /// What has come of it.
    pub fate: Fate,
}

impl InboxScene {
    /// Whether the answer and what became of the callback were as they must be.
    pub fn is_fine(&self) -> bool {
        self.fate == self.expected
    }
}

/// What comes of a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fate {
    /// The status and body that ZEGOCLOUD gets; `None` if it was not asked.
    pub answer: Option<(u16, String)>,
    /// How often the handler was run, since the callback was sent or redelivered.
    pub runs: u32,
    /// Where the callback stands in the end; `None` if the inbox had it already.
    pub state: Option<EntryState>,
    /// After how much of the inbox's time.
    pub after: Duration,
}

impl Fate {
    fn answered(verdict: Verdict) -> Self {
        Self {
            answer: Some((verdict.status(), verdict.body().to_owned())),
            runs: 0,
            state: None,
            after: Duration::ZERO,
        }
    }
}

/// Performs the second act, on loopback.
///
/// # Errors
///
/// If there is no port to listen on, or the inbox fails.
pub async fn perform_outage(secret: &str) -> Result<Outage, Error> {
    let clock = ManualClock::new(SystemTime::now().into());
    let began = clock.now().to_system_time();
    let store = Arc::new(MemoryInbox::new().with_clock(clock.clone()));
    let receiver = verifier(secret).and_then(|verifier| {
        let builder = Receiver::builder(verifier).clock(clock.clone());
        builder.build_with_inbox(Arc::clone(&store))
    });
    let receiver = receiver.map_err(no_receiver)?;
    let (listener, address) = server::bind("port", ([127, 0, 0, 1], 0).into()).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async move {
        let _ = stopped.await;
    };
    let routes = Router::new().fallback_service(inbox::<()>(receiver));
    let serving = tokio::spawn(server::serve(listener, routes, |_, _| {}, until));

    let url = format!("http://{address}/zego/record");
    let mut stage = Stage {
        secret,
        clock,
        began: began.unwrap_or(SystemTime::UNIX_EPOCH),
        store,
        app: Arc::new(App::new()?),
        transport: HttpTransport::new(&url, 1, &TlsArgs::default())?,
        scenes: Vec::new(),
    };
    stage.app_is_down().await?;
    stage.app_is_killed().await?;
    stage.worker_is_killed().await?;
    stage.app_has_a_bug().await?;
    let outage = stage.end().await?;
    drop(stop);
    serving
        .await
        .map_err(|error| Error::with_source("the server has failed", error))?;
    Ok(outage)
}

struct Stage<'a> {
    secret: &'a str,
    clock: ManualClock,
    began: SystemTime,
    store: Arc<MemoryInbox>,
    app: Arc<App>,
    transport: HttpTransport,
    scenes: Vec<InboxScene>,
}

impl Stage<'_> {
    /// At first there is no app at all, for five minutes.
    async fn app_is_down(&mut self) -> Result<(), Error> {
        let worker = self.worker()?;
        let first = self.send("first").await?;
        self.work(&worker, 4 * MINUTE).await?;
        let again = self.send("first").await?;
        let second = self.send("second").await?;
        self.work(&worker, MINUTE).await?;
        self.app.start().await?;
        self.work(&worker, 15 * MINUTE).await?;

        let promise = "a callback is stored and answered 1, and sent on until the app has it";
        let expected = accepted(EntryState::Done, 5, 12 * MINUTE + 35 * SECOND);
        self.add("the app is down for 5 minutes", promise, expected, first)
            .await?;
        let expected = accepted(EntryState::Done, 4, 2 * MINUTE + 35 * SECOND);
        self.add("another, in the fourth minute", promise, expected, second)
            .await?;
        let promise = "a duplicate is not stored again, also while the app is away";
        let expected = Fate::answered(Verdict::Duplicate);
        self.add("the first, signed anew", promise, expected, again)
            .await
    }

    async fn app_is_killed(&mut self) -> Result<(), Error> {
        let worker = self.worker()?;
        let sent = self.send(IS_KILLED).await?;
        let running = self.run_until_it_hangs(worker.clone()).await;
        self.app.kill().await?;
        let _ = running.await;
        self.app.start().await?;
        self.work(&worker, MINUTE).await?;
        let promise = "an app that dies before it answers gets it again, under the same id";
        let expected = accepted(EntryState::Done, 2, 5 * SECOND);
        self.add("the app is killed, restarted", promise, expected, sent)
            .await
    }

    async fn worker_is_killed(&mut self) -> Result<(), Error> {
        let sent = self.send(WORKER_IS_KILLED).await?;
        let running = self.run_until_it_hangs(self.worker()?).await;
        running.abort();
        let _ = running.await;
        self.work(&self.worker()?, 2 * MINUTE).await?;
        let promise = "what a worker held is taken over when its lease ends";
        let expected = accepted(EntryState::Done, 2, MINUTE);
        self.add("the worker is killed", promise, expected, sent)
            .await
    }

    async fn app_has_a_bug(&mut self) -> Result<(), Error> {
        let worker = self.worker()?;
        let sent = self.send(FINDS_A_BUG).await?;
        self.work(&worker, DAYS).await?;
        let promise = "after 12 runs in three days it is a dead letter, which is kept";
        let expected = accepted(EntryState::Dead, 12, ALL_ATTEMPTS);
        self.add("the app has a bug", promise, expected, sent)
            .await?;

        self.app.mend();
        let dead = Filter::in_state(EntryState::Dead);
        let redeliver = async { Plan::redeliver(&*self.store, dead).await?.run().await };
        redeliver.await.map_err(inbox_failed)?;
        let sent = Sent {
            answer: None,
            stream: FINDS_A_BUG,
            is_stored: true,
            at: self.clock.monotonic(),
        };
        self.work(&worker, MINUTE).await?;
        let promise = "a dead letter can be redelivered once its reason is gone";
        let mut expected = accepted(EntryState::Done, 1, Duration::ZERO);
        expected.answer = None;
        self.add("it is mended, and redelivered", promise, expected, sent)
            .await
    }

    async fn end(self) -> Result<Outage, Error> {
        Ok(Outage {
            accepted: self.count(&Filter::all()).await?,
            arrived: self.app.recordings(),
            scenes: self.scenes,
        })
    }

    /// One worker: what it does not finish is left to the next one.
    fn worker(&self) -> Result<Worker, Error> {
        let app = Arc::clone(&self.app);
        Worker::builder(Arc::clone(&self.store))
            .schedule(Schedule::default().without_jitter())
            .build(move |delivery| deliver(delivery, Arc::clone(&app)))
            .map_err(|error| Error::with_source("cannot set up the worker", error))
    }

    async fn send(&self, stream: &'static str) -> Result<Sent, Error> {
        let before = self.count(&Filter::all()).await?;
        let request = RequestBuilder::new(self.secret, self.clock.now())
            .field("stream_alias", stream)
            .field(
                "replay_url",
                format!("https://vod.example.com/{stream}.mp4"),
            )
            .build();
        let reply = self.transport.send(Outgoing::new(request.into_http()));
        Ok(Sent {
            answer: Some(answer(reply.await)),
            stream,
            is_stored: self.count(&Filter::all()).await? > before,
            at: self.clock.monotonic(),
        })
    }

    /// Lets the worker do what is due, and this much time pass, from one attempt to the next.
    async fn work(&self, worker: &Worker, time: Duration) -> Result<(), Error> {
        let end = self.clock.monotonic() + time;
        loop {
            worker.run_due().await.map_err(inbox_failed)?;
            let now = self.clock.monotonic();
            let entries = self.list(&Filter::all()).await?;
            let due = entries.into_iter().filter_map(|entry| entry.due_at);
            let due = due.map(|time| self.elapsed(time)).filter(|due| *due > now);
            match due.min() {
                Some(next) if next <= end => self.clock.advance(next - now),
                _ => break self.clock.advance(end - now),
            }
        }
        Ok(())
    }

    /// Starts what is due, and returns while the app keeps a request without an answer.
    async fn run_until_it_hangs(&self, worker: Worker) -> JoinHandle<Result<usize, StoreError>> {
        let mut running = tokio::spawn(async move { worker.run_due().await });
        tokio::select! {
            () = self.app.hangs() => running,
            // It has not hung, which the fate will show.
            ended = &mut running => tokio::spawn(async move { ended.unwrap_or(Ok(0)) }),
        }
    }

    async fn add(
        &mut self,
        name: &'static str,
        promise: &'static str,
        expected: Fate,
        sent: Sent,
    ) -> Result<(), Error> {
        let mut fate = Fate {
            answer: sent.answer,
            runs: 0,
            state: None,
            after: Duration::ZERO,
        };
        if sent.is_stored {
            let mut filter = Filter::all();
            filter.stream_alias = Some(sent.stream.to_owned());
            for entry in self.list(&filter).await? {
                fate.runs += entry.attempts;
                fate.state = Some(entry.state);
                if let Some(ended) = entry.ended_at {
                    fate.after = self.elapsed(ended).saturating_sub(sent.at);
                }
            }
        }
        self.scenes.push(InboxScene {
            name,
            promise,
            expected,
            fate,
        });
        Ok(())
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Entry>, Error> {
        let entries = self.store.list(filter, None, u32::MAX).await;
        entries.map_err(inbox_failed)
    }

    async fn count(&self, filter: &Filter) -> Result<u64, Error> {
        self.store.count(filter).await.map_err(inbox_failed)
    }

    /// Since the beginning, on the inbox's clock.
    fn elapsed(&self, time: SystemTime) -> Duration {
        time.duration_since(self.began).unwrap_or_default()
    }
}

/// A callback on its way.
struct Sent {
    answer: Option<(u16, String)>,
    stream: &'static str,
    is_stored: bool,
    at: Duration,
}

/// The handler: posts the callback to the app, and believes nothing but a 2xx.
async fn deliver(delivery: Delivery, app: Arc<App>) -> Result<(), HandlerError> {
    let address = app.address().map_err(HandlerError::retry)?;
    let url = format!("http://{address}/recordings");
    let app = HttpTransport::new(&url, 1, &TlsArgs::default()).map_err(HandlerError::retry)?;
    let stream = delivery.callback().stream_alias().to_owned();
    let request = http::Request::post("/recordings")
        .header(app::ID, delivery.key().to_string())
        .body(Bytes::from(stream))
        .map_err(HandlerError::retry)?;
    match app.send(Outgoing::new(request)).await {
        Reply::Answer {
            status: 200..300, ..
        } => Ok(()),
        failed => Err(HandlerError::retry(format!("{failed:?}"))),
    }
}

fn accepted(state: EntryState, runs: u32, after: Duration) -> Fate {
    Fate {
        runs,
        state: Some(state),
        after,
        ..Fate::answered(Verdict::Accepted)
    }
}

fn inbox_failed(error: StoreError) -> Error {
    Error::with_source("the inbox has failed", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[tokio::test]
    async fn everything_arrives() {
        let outage = perform_outage(SECRET).await.unwrap();
        for scene in &outage.scenes {
            assert!(scene.is_fine(), "{scene:?}");
        }
        assert_eq!((outage.accepted, outage.arrived), (5, 5));
        assert!(outage.is_fine());
    }

    #[tokio::test]
    async fn what_is_lost_or_not_as_documented_is_not_fine() {
        let outage = perform_outage(SECRET).await.unwrap();
        let mut lost = outage.clone();
        lost.arrived -= 1;
        assert!(!lost.is_fine());
        for index in 0..outage.scenes.len() {
            let mut another_run = outage.clone();
            another_run.scenes[index].fate.runs += 1;
            let mut another_state = outage.clone();
            another_state.scenes[index].fate.state = Some(EntryState::Waiting);
            let mut too_late = outage.clone();
            too_late.scenes[index].fate.after += SECOND;
            let mut another_answer = outage.clone();
            another_answer.scenes[index].fate.answer = Some((503, "busy".to_owned()));
            for wrong in [another_run, another_state, too_late, another_answer] {
                assert!(!wrong.is_fine(), "{wrong:?}");
            }
        }
    }
}
