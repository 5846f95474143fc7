//! The extractor.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use zego_record_core::RecordCallback;
use zego_record_receiver::Receiver;

use crate::admit::admit;
use crate::rejection::RecordRejection;

/// A verified callback.
///
/// Alone, it reads and verifies the request with the [`Receiver`] in the app data, as it is or in a
/// [`Data`], and binds the signature to the content. It does not deduplicate: a retry runs the handler
/// again, and the answer is the handler's business, see [`Ack`](crate::Ack). Since it takes the
/// payload, no other extractor of the same handler can have it.
///
/// Beneath a [`RecordMiddleware`](crate::RecordMiddleware) it takes what the middleware has verified,
/// and reads nothing.
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
            log::error!("{}", RecordRejection::NO_RECEIVER);
            return Box::pin(async { Err(RecordRejection::NO_RECEIVER) });
        };
        let admitted = admit(receiver, request, payload.take());
        Box::pin(async {
            let (_, admitted) = admitted.await?;
            Ok(Self(admitted.into_callback()))
        })
    }
}

fn receiver(request: &HttpRequest) -> Option<&Receiver> {
    let shared = || request.app_data::<Data<Receiver>>().map(Data::get_ref);
    request.app_data::<Receiver>().or_else(shared)
}
