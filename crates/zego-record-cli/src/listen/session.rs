//! What is done with a request: receive it, keep it, pass it on, show it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use http::request::Parts;
use http_body::Body as _;
use zego_record_core::{RecordCallback, Rejection, Verdict, Verified};
use zego_record_receiver::{Delivery, HandlerError, Outcome, Receiver, Reply};

use super::doctor::Doctor;
use super::event::{Event, Events, Seen, now};
use super::fail::{Failing, Failure};
use super::forward::Forward;
use super::save::Saver;
use crate::send::Reply as Answer;

/// Of a path or a Content-Type, which may have any length.
const MOST_SHOWN: usize = 300;

/// Everything that `listen` needs for a request.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) receiver: Receiver,
    pub(super) events: Events,
    pub(super) failing: Failing,
    pub(super) forward: Option<Forward>,
    pub(super) saver: Option<Saver>,
    pub(super) doctor: Doctor,
    pub(super) show_body: bool,
    pub(super) requests: AtomicU64,
}

/// What the handler has done, and how it is answered if not as the library does.
#[derive(Debug)]
struct Run {
    attempt: u32,
    changed: bool,
    failure: Option<Failure>,
    answer: OnceLock<Answer>,
}

/// Takes requests on every path.
pub(super) fn app(session: Arc<Session>) -> Router {
    Router::new().fallback(receive).with_state(session)
}

async fn receive(State(session): State<Arc<Session>>, request: Request) -> Response<Body> {
    // In a task of its own: a client that hangs up does not keep its request from being shown.
    let answering = tokio::spawn(async move { session.answer(request).await });
    answering
        .await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

impl Session {
    async fn answer(self: Arc<Self>, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let pipeline = self.receiver.pipeline();
        let declared = Some(body.size_hint().lower());
        let read = match pipeline.check_method(parts.method.as_str()) {
            Ok(()) => pipeline.read_body(declared, body.into_data_stream()).await,
            Err(rejection) => Err(rejection),
        };
        let seen = self.see(&parts, read.as_ref().ok());
        let number = seen.number;
        let body = match read {
            Ok(body) => body,
            Err(rejection) => return self.reject(seen, &rejection),
        };
        match pipeline.verify(&body).await {
            Ok(Verified::Record(callback)) => self.deliver(seen, parts, body, callback).await,
            Ok(Verified::Other(event)) => {
                self.events.send(Event::ignored(seen, &event));
                library(&pipeline.reply(Verdict::Ignored))
            }
            Err(rejection) => {
                let response = self.reject(seen, &rejection);
                // A body of another kind, a wrapped one for example, is unsigned or malformed.
                if matches!(
                    rejection.verdict(),
                    Verdict::BadSignature | Verdict::Unsigned | Verdict::Malformed
                ) {
                    self.doctor.examine(number, body, self.events.clone());
                }
                response
            }
        }
    }

    fn reject(&self, seen: Seen, rejection: &Rejection) -> Response<Body> {
        self.events.send(Event::rejected(seen, rejection));
        library(&self.receiver.pipeline().reply(rejection.verdict()))
    }

    async fn deliver(
        self: &Arc<Self>,
        seen: Seen,
        parts: Parts,
        body: Bytes,
        callback: RecordCallback,
    ) -> Response<Body> {
        let run = Arc::new(OnceLock::new());
        let handler = {
            let (session, run) = (Arc::clone(self), Arc::clone(&run));
            move |delivery| async move {
                Outcome::from(session.handle(&delivery, &parts, body, &run).await)
            }
        };
        let pipeline = self.receiver.pipeline();
        let (verdict, _) = pipeline.deliver(callback.clone(), handler).await;
        let reply = pipeline.reply(verdict);
        let Some(run) = run.get() else {
            self.events.send(Event::answered(seen, verdict));
            return library(&reply);
        };
        let response = run.response(verdict).unwrap_or_else(|| library(&reply));
        self.events.send(Event::Delivery {
            at: now(),
            request: seen,
            attempt: run.attempt,
            changed: run.changed,
            outcome: run.outcome(verdict),
            status: response.status().as_u16(),
            forwarded: run.answer.get().cloned().map(Answer::shortened),
            callback,
        });
        response
    }

    async fn handle(
        &self,
        delivery: &Delivery,
        parts: &Parts,
        body: Bytes,
        run: &OnceLock<Run>,
    ) -> Result<(), HandlerError> {
        let failure = self.failing.next();
        let run = run.get_or_init(|| Run {
            attempt: delivery.attempt(),
            changed: delivery.is_changed(),
            failure,
            answer: OnceLock::new(),
        });
        match failure {
            Some(Failure::Status(_)) => return Err(HandlerError::retry("as --fail asks for")),
            Some(Failure::Timeout) => std::future::pending().await,
            Some(Failure::Panic) => panic!("as --fail asks for"),
            None => {}
        }
        let Some(forward) = &self.forward else {
            return Ok(());
        };
        let answer = forward.send(parts, body).await;
        let is_success = answer.is_success();
        // The cell is new, and set nowhere else.
        let _ = run.answer.set(answer);
        if is_success {
            Ok(())
        } else {
            Err(HandlerError::retry("the app did not answer with a 2xx"))
        }
    }

    /// Counts the request, and saves it if it is to be saved.
    fn see(&self, parts: &Parts, body: Option<&Bytes>) -> Seen {
        let shown = |text: &str| text.chars().take(MOST_SHOWN).collect::<String>();
        let content_type = parts.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let target = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let number = self
            .requests
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1);
        let saving = match (&self.saver, body) {
            (Some(saver), Some(body)) => Some(saver.save(number, parts, body)),
            _ => None,
        };
        let (saved, not_saved) = match saving {
            Some(Ok(path)) => (Some(path.display().to_string()), None),
            Some(Err(problem)) => (None, Some(problem)),
            None => (None, None),
        };
        let text = body.filter(|_| self.show_body);
        Seen {
            number,
            method: shown(parts.method.as_str()),
            path: shown(target),
            content_type: content_type.as_deref().map(shown),
            bytes: body.map(Bytes::len),
            body: text.map(|body| String::from_utf8_lossy(body).into_owned()),
            saved,
            not_saved,
        }
    }
}

impl Run {
    fn outcome(&self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::HandlerTimeout => "timed_out",
            Verdict::HandlerFailed if self.failure == Some(Failure::Panic) => "panicked",
            verdict if verdict.is_success() => "handled",
            _ => "failed",
        }
    }

    /// The status that was asked for, or the app's own answer if it is a failure.
    fn response(&self, verdict: Verdict) -> Option<Response<Body>> {
        if verdict != Verdict::HandlerFailed {
            return None;
        }
        let (status, body) = match (self.failure, self.answer.get()) {
            // The library's own.
            (Some(Failure::Status(500)), _) => return None,
            (Some(Failure::Status(status)), _) => (status, String::new()),
            (None, Some(Answer::Answer { status, body, .. })) => (*status, body.clone()),
            _ => return None,
        };
        let status = StatusCode::from_u16(status).ok()?;
        Some((status, body).into_response())
    }
}

/// What the library answers.
fn library(reply: &Reply) -> Response<Body> {
    zego_record_tower::respond(reply).map(Body::new)
}
