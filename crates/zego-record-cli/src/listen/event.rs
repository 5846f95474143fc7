//! What happens in the receiver, on its way to the terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use serde::Serialize;
use tokio::sync::mpsc;
use zego_record_core::{OtherEvent, RecordCallback, Rejection, UnixSeconds, Verdict};
use zego_record_receiver::Delivery;

use super::fail::Failure;

/// So many events may wait to be printed; a flood must not fill the memory.
const WAITING: usize = 1_024;

/// Something to show.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Event {
    Delivery {
        at: UnixSeconds,
        attempt: u32,
        changed: bool,
        outcome: &'static str,
        callback: RecordCallback,
    },
    Rejected {
        at: UnixSeconds,
        verdict: Verdict,
        status: u16,
        reason: String,
        signed: bool,
    },
    Ignored {
        at: UnixSeconds,
        event: String,
    },
    Answered {
        at: UnixSeconds,
        verdict: Verdict,
        status: u16,
    },
    Omitted {
        at: UnixSeconds,
        events: u64,
    },
}

impl Event {
    pub(super) fn delivery(delivery: &Delivery, failure: Option<Failure>) -> Self {
        Self::Delivery {
            at: now(),
            attempt: delivery.attempt(),
            changed: delivery.is_changed(),
            outcome: match failure {
                None => "handled",
                Some(Failure::Error) => "failed",
                Some(Failure::Timeout) => "timed_out",
                Some(Failure::Panic) => "panicked",
            },
            callback: delivery.callback().clone(),
        }
    }

    pub(super) fn rejected(rejection: &Rejection) -> Self {
        Self::Rejected {
            at: now(),
            verdict: rejection.verdict(),
            status: rejection.verdict().status(),
            reason: rejection.to_string(),
            signed: rejection.is_signed(),
        }
    }

    pub(super) fn ignored(event: &OtherEvent) -> Self {
        Self::Ignored {
            at: now(),
            event: event.name().to_owned(),
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

    /// A request was answered; shown are those that neither the handler nor a rejection has told of.
    pub(super) fn answered(&self, verdict: Verdict) {
        if matches!(
            verdict,
            Verdict::Duplicate | Verdict::InProgress | Verdict::Busy | Verdict::StoreUnavailable
        ) {
            self.send(Event::Answered {
                at: now(),
                verdict,
                status: verdict.status(),
            });
        }
    }
}

fn now() -> UnixSeconds {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_printed_in_time_is_counted() {
        let (events, mut received) = Events::channel();
        for _ in 0..WAITING + 5 {
            events.answered(Verdict::Duplicate);
        }
        for _ in 0..WAITING {
            assert!(matches!(received.try_recv(), Ok(Event::Answered { .. })));
        }
        events.answered(Verdict::Duplicate);
        assert!(matches!(
            received.try_recv(),
            Ok(Event::Omitted { events: 5, .. })
        ));
        assert!(matches!(received.try_recv(), Ok(Event::Answered { .. })));
    }
}
