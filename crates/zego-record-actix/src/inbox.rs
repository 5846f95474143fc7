//! A route for an inbox.

use actix_web::{HttpRequest, Route, web};
use zego_record_receiver::InboxReceiver;

use crate::receive::accept;
use crate::respond::respond;

/// A route that commits recording callbacks to an inbox and answers them with `1`. A worker, in this
/// process or another one, runs the handler afterwards, for as long as it takes.
///
/// ```
/// use actix_web::web;
/// use zego_record_actix::{InboxReceiver, inbox};
///
/// fn configure(config: &mut web::ServiceConfig, receiver: InboxReceiver) {
///     config.route("/zego/record", inbox(receiver));
/// }
/// ```
///
/// [`ReceiverBuilder::build_with_inbox`](crate::ReceiverBuilder::build_with_inbox) builds the receiver. The
/// route has no guard, so that it answers other methods than `POST` with `405` by itself.
pub fn inbox(receiver: InboxReceiver) -> Route {
    web::to(move |request: HttpRequest, payload: web::Payload| {
        let receiver = receiver.clone();
        let accepted = accept(&receiver, &request, payload.into_inner());
        async move { respond(&receiver.reply(accepted.await)) }
    })
}
