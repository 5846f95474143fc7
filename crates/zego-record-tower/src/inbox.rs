//! A service for an inbox.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;
use zego_record_receiver::InboxReceiver;

use crate::future::ResponseFuture;
use crate::receive::accept;
use crate::respond::respond;

/// A service that commits recording callbacks to an inbox and answers them with `1`. A worker, in this
/// process or another one, runs the handler afterwards.
///
/// There is no layer for an inbox: no inner service is run.
pub fn inbox(receiver: InboxReceiver) -> InboxService {
    InboxService { receiver }
}

/// The service that [`inbox`] makes.
#[derive(Clone, Debug)]
pub struct InboxService {
    receiver: InboxReceiver,
}

impl<B> Service<Request<B>> for InboxService
where
    B: Body<Data: Send> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = ResponseFuture<Response<Full<Bytes>>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let receiver = self.receiver.clone();
        ResponseFuture::new(async move {
            let verdict = accept(&receiver, request).await;
            Ok(respond(&receiver.reply(verdict)))
        })
    }
}
