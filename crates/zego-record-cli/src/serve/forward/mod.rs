//! Forwards callbacks to the operator's app, signed as Standard Webhooks define.

mod breaker;
mod client;
mod sign;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use zego_record_inbox::{Delivery, Note, Schedule};
use zego_record_receiver::HandlerError;

use crate::record::{Record, Texts, fields, rfc3339};
pub(crate) use breaker::Breaker;
use breaker::Start;
use client::Answer;
pub(crate) use client::ForwardClient;
pub(crate) use sign::Signer;

const EVENT_TYPE: &str = "zegocloud.record.completed";

/// Posts each callback to the app until that answers with a 2xx.
#[derive(Debug)]
pub(crate) struct Forwarder {
    client: ForwardClient,
    signer: RwLock<Signer>,
    breaker: Arc<Breaker>,
    schedule: Schedule,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Record<'a>,
    fields: std::collections::BTreeMap<String, Texts>,
}

impl Forwarder {
    /// The schedule is the worker's.
    pub(crate) fn new(
        client: ForwardClient,
        signer: Signer,
        breaker: Arc<Breaker>,
        schedule: Schedule,
    ) -> Self {
        Self {
            client,
            signer: RwLock::new(signer),
            breaker,
            schedule,
        }
    }

    /// Signs with other secrets from now on.
    pub(crate) fn replace_signer(&self, signer: Signer) {
        *self.signer.write().unwrap_or_else(PoisonError::into_inner) = signer;
    }

    /// The handler of the worker.
    pub(crate) async fn forward(&self, delivery: Delivery) -> Result<(), HandlerError> {
        let attempt = match self.breaker.start() {
            Start::Go(attempt) => attempt,
            Start::Wait(wait) => {
                return Err(HandlerError::postpone(wait, "the destination is down"));
            }
        };
        let key = delivery.key();
        let body = body(&delivery)?;
        let headers = self.headers(&delivery, &body)?;
        match self.client.post(headers, body).await {
            Answer::None(reason) => match attempt.failed(key, &reason, None) {
                Some(wait) => Err(HandlerError::postpone(wait, reason)),
                None => Err(HandlerError::retry(reason)),
            },
            Answer::Status {
                status,
                text,
                retry_after,
            } => {
                let reason = format!("the app answered with {status}");
                let note = match status {
                    200..300 => text,
                    _ => format!("{reason}: {text}"),
                };
                delivery.set_note(Note::new(note).with_status(status));
                if !matches!(status, 429 | 502 | 503 | 504) {
                    attempt.answered();
                } else if let Some(wait) = attempt.failed(key, &reason, retry_after) {
                    return Err(HandlerError::postpone(wait, reason));
                }
                // An app that asks for an early attempt would use them all up within a moment.
                let scheduled = self.schedule.delay_after(delivery.attempt());
                let later = retry_after.filter(|wait| Some(*wait) > scheduled);
                outcome(status, later, reason)
            }
        }
    }

    fn headers(&self, delivery: &Delivery, body: &[u8]) -> Result<HeaderMap, HandlerError> {
        let id = id(delivery);
        let timestamp = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)?
            .as_secs()
            .to_string();
        let signature = {
            let signer = self.signer.read().unwrap_or_else(PoisonError::into_inner);
            signer.sign(&id, &timestamp, body)
        };
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
            ("zego-record-attempt", delivery.attempt().to_string()),
        ] {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(&value)?,
            );
        }
        Ok(headers)
    }
}

/// The delivery key, and which new id it is that an operator has asked for.
fn id(delivery: &Delivery) -> String {
    let key = hex::encode(delivery.key().as_bytes());
    match delivery.renewals() {
        0 => key,
        renewals => format!("{key}-{renewals}"),
    }
}

fn body(delivery: &Delivery) -> Result<Bytes, HandlerError> {
    let callback = delivery.callback();
    let body = Body {
        r#type: EVENT_TYPE,
        timestamp: rfc3339(delivery.received_at()),
        data: Record::new(callback, delivery.attempt(), delivery.is_changed()),
        fields: fields(callback),
    };
    Ok(serde_json::to_vec(&body)?.into())
}

fn outcome(status: u16, retry_after: Option<Duration>, reason: String) -> Result<(), HandlerError> {
    match (status, retry_after) {
        (200..300, _) => Ok(()),
        (410, _) => Err(HandlerError::dead_letter(reason)),
        (300..400, _) => Err(HandlerError::retry(
            reason + ", and redirects are not followed",
        )),
        (_, Some(wait)) => Err(HandlerError::retry_after(wait, reason)),
        (_, None) => Err(HandlerError::retry(reason)),
    }
}
