//! What happens in the receiver, on its way to the terminal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use serde::Serialize;
use tokio::sync::mpsc;
use zego_record_core::{OtherEvent, RecordCallback, Rejection, UnixSeconds, Verdict};

use crate::send::Reply;
use crate::server::Problem;
use crate::verify::Mistake;

/// So many events may wait to be printed; a flood must not fill the memory.
const WAITING: usize = 1_024;

/// What a request looks like from outside.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Seen {
    /// Counted from 1, or on from the last one that an earlier session has saved.
    pub(super) number: u64,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) content_type: Option<String>,
    /// The length of the body; `None` if it was not read.
    pub(super) bytes: Option<usize>,
    /// With `--show-body`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    /// Where it was saved, without the extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) saved: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_saved: Option<String>,
}

/// Something to show.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Event {
    Delivery {
        at: UnixSeconds,
        request: Seen,
        attempt: u32,
        changed: bool,
        outcome: &'static str,
        status: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        forwarded: Option<Reply>,
        callback: RecordCallback,
    },
    Rejected {
        at: UnixSeconds,
        request: Seen,
        verdict: Verdict,
        status: u16,
        reason: String,
        signed: bool,
    },
    Diagnosis {
        at: UnixSeconds,
        number: u64,
        mistakes: Vec<Mistake>,
        notes: Vec<String>,
        skipped: u64,
    },
    Ignored {
        at: UnixSeconds,
        request: Seen,
        event: String,
    },
    Answered {
        at: UnixSeconds,
        request: Seen,
        verdict: Verdict,
        status: u16,
    },
    Connection {
        at: UnixSeconds,
        peer: SocketAddr,
        problem: String,
    },
    Omitted {
        at: UnixSeconds,
        events: u64,
    },
}

impl Event {
    pub(super) fn rejected(request: Seen, rejection: &Rejection) -> Self {
        Self::Rejected {
            at: now(),
            request,
            verdict: rejection.verdict(),
            status: rejection.verdict().status(),
            reason: rejection.to_string(),
            signed: rejection.is_signed(),
        }
    }

    pub(super) fn ignored(request: Seen, event: &OtherEvent) -> Self {
        Self::Ignored {
            at: now(),
            request,
            event: event.name().to_owned(),
        }
    }

    /// The request was answered, and the handler was not run.
    pub(super) fn answered(request: Seen, verdict: Verdict) -> Self {
        Self::Answered {
            at: now(),
            request,
            verdict,
            status: verdict.status(),
        }
    }

    pub(super) fn diagnosis(
        number: u64,
        mistakes: Vec<Mistake>,
        notes: Vec<String>,
        skipped: u64,
    ) -> Self {
        Self::Diagnosis {
            at: now(),
            number,
            mistakes,
            notes,
            skipped,
        }
    }

    pub(super) fn connection(peer: SocketAddr, problem: Problem) -> Self {
        let problem = match problem {
            Problem::Tls => {
                "a TLS handshake: this port speaks plain HTTP, so use an http URL, or put a proxy that ends TLS before it".to_owned()
            }
            Problem::Http2 => "HTTP/2 without TLS: this port speaks HTTP/1.1".to_owned(),
            Problem::NoHttp(why) => format!("no HTTP request: {why}"),
        };
        Self::Connection {
            at: now(),
            peer,
            problem,
        }
    }
}

/// Where events are sent to.
#[derive(Clone, Debug)]
pub(super) struct Events {
    sender: mpsc::Sender<Event>,
    omitted: Arc<AtomicU64>,
}

impl Events {
    pub(super) fn channel() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (
            Self {
                sender,
                omitted: Arc::default(),
            },
            receiver,
        )
    }

    /// Sends an event, or counts it if too many wait.
    pub(super) fn send(&self, event: Event) {
        let omitted = self.omitted.swap(0, Ordering::Relaxed);
        let told = omitted == 0
            || self
                .sender
                .try_send(Event::Omitted {
                    at: now(),
                    events: omitted,
                })
                .is_ok();
        let untold = if told { 0 } else { omitted };
        let unsent = u64::from(self.sender.try_send(event).is_err());
        self.omitted.fetch_add(untold + unsent, Ordering::Relaxed);
    }
}

pub(super) fn now() -> UnixSeconds {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_printed_in_time_is_counted() {
        let (events, mut received) = Events::channel();
        let event = || Event::connection(([127, 0, 0, 1], 1).into(), Problem::Tls);
        for _ in 0..WAITING + 5 {
            events.send(event());
        }
        for _ in 0..WAITING {
            assert!(matches!(received.try_recv(), Ok(Event::Connection { .. })));
        }
        events.send(event());
        assert!(matches!(
            received.try_recv(),
            Ok(Event::Omitted { events: 5, .. })
        ));
        assert!(matches!(received.try_recv(), Ok(Event::Connection { .. })));
    }
}
