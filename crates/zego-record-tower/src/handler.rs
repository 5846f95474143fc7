//! A service for a function.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;
use zego_record_core::{Verdict, Verified};
use zego_record_receiver::{Delivery, HandlerError, Receiver};

use crate::future::ResponseFuture;
use crate::receive::receive;
use crate::respond::respond;

/// A service that receives recording callbacks, with delivery guarantees, and runs a function for each:
/// an `async fn` from a [`RecordCallback`](crate::RecordCallback) or a [`Delivery`] to
/// `Result<(), HandlerError>`. A closure passes on what else the function needs, such as a database
/// pool.
pub fn record<H, A, F>(receiver: Receiver, handler: H) -> RecordHandler<H, A>
where
    H: Fn(A) -> F + Clone + Send + 'static,
    A: From<Delivery> + Send + 'static,
    F: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    RecordHandler {
        receiver,
        handler,
        argument: PhantomData,
    }
}

/// The service that [`record`] makes.
pub struct RecordHandler<H, A> {
    receiver: Receiver,
    handler: H,
    argument: PhantomData<fn(A)>,
}

impl<H, A, F, B> Service<Request<B>> for RecordHandler<H, A>
where
    H: Fn(A) -> F + Clone + Send + 'static,
    A: From<Delivery> + Send + 'static,
    F: Future<Output = Result<(), HandlerError>> + Send + 'static,
    B: Body<Data: Send> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = ResponseFuture<Response<Full<Bytes>>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self {
            receiver, handler, ..
        } = self.clone();
        ResponseFuture::new(async move {
            let pipeline = receiver.pipeline();
            let verdict = match receive(&receiver, request).await {
                Ok((_, Verified::Record(callback))) => {
                    let run = async move |delivery: Delivery| handler(delivery.into()).await.into();
                    pipeline.deliver(callback, run).await.0
                }
                Ok((_, Verified::Other(_))) => Verdict::Ignored,
                Err(rejection) => rejection.verdict(),
            };
            Ok(respond(&pipeline.reply(verdict)))
        })
    }
}

impl<H: Clone, A> Clone for RecordHandler<H, A> {
    fn clone(&self) -> Self {
        Self {
            receiver: self.receiver.clone(),
            handler: self.handler.clone(),
            argument: PhantomData,
        }
    }
}

impl<H, A> fmt::Debug for RecordHandler<H, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordHandler")
            .field("receiver", &self.receiver)
            .finish_non_exhaustive()
    }
}
