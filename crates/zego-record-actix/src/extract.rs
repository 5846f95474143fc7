//! The extractor.

use std::pin::Pin;
use std::sync::Once;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use zego_record_core::{RecordCallback, Verdict, Verified};
use zego_record_receiver::Receiver;

use crate::receive::receive;
use crate::rejection::RecordRejection;

/// A verified callback.
///
/// Alone, it reads and verifies the request with the [`Receiver`] in the app data, as it is or in a
/// [`Data`], and checks it for replays. It does not deduplicate: a retry runs the handler again, a panic
/// closes the connection, and [`Receiver::shutdown`] does not wait for the handler. Respond with
/// [`Ack`](crate::Ack), or with `Result<Ack, HandlerError>`. Since it takes the payload, no other
/// extractor of the same handler can have it.
///
/// Behind a [`RecordMiddleware`](crate::RecordMiddleware) it takes the callback that the middleware has
/// verified, and reads nothing.
#[derive(Clone, Debug)]
pub struct Record(pub RecordCallback);

impl FromRequest for Record {
    type Error = RecordRejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, RecordRejection>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if let Some(callback) = request.extensions().get::<RecordCallback>() {
            let record = Self(callback.clone());
            return Box::pin(async { Ok(record) });
        }
        let Some(receiver) = receiver(request) else {
            let rejection = RecordRejection::no_receiver();
            // Once: every request would cause it, and it is the app's mistake.
            static LOGGED: Once = Once::new();
            LOGGED.call_once(|| log::error!("{rejection}"));
            return Box::pin(async { Err(rejection) });
        };
        let received = receive(receiver, request, payload.take());
        let receiver = receiver.clone();
        Box::pin(async move {
            let (verdict, reason) = match received.await {
                Ok((_, Verified::Record(callback))) => return Ok(Self(callback)),
                Ok((_, Verified::Other(_))) => (Verdict::Ignored, None),
                Err(rejection) => (rejection.verdict(), Some(rejection)),
            };
            let reply = receiver.pipeline().reply(verdict);
            Err(RecordRejection::new(reply, reason))
        })
    }
}

fn receiver(request: &HttpRequest) -> Option<&Receiver> {
    let shared = || request.app_data::<Data<Receiver>>().map(Data::get_ref);
    request.app_data::<Receiver>().or_else(shared)
}
