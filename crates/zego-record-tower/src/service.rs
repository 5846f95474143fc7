//! The middleware: an inner service as the handler.

use std::mem;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;
use zego_record_core::{Verdict, Verified};
use zego_record_receiver::{Delivery, HandlerError, Outcome, Receiver};

use crate::body::ResponseBody;
use crate::future::ResponseFuture;
use crate::receive::receive;
use crate::respond::respond;

/// The service that [`RecordLayer`](crate::RecordLayer) makes.
#[derive(Clone, Debug)]
pub struct RecordService<S> {
    inner: S,
    receiver: Receiver,
}

impl<S> RecordService<S> {
    pub(crate) fn new(inner: S, receiver: Receiver) -> Self {
        Self { inner, receiver }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RecordService<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Error: Send + 'static,
    S::Future: Send,
    ReqBody: Body<Data: Send> + Send + 'static,
    ResBody: Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The service that was polled ready is the one to be called; the clone is not ready yet.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let receiver = self.receiver.clone();
        ResponseFuture::new(async move { handle(inner, &receiver, request).await })
    }
}

async fn handle<S, ReqBody, ResBody>(
    inner: S,
    receiver: &Receiver,
    request: Request<ReqBody>,
) -> Result<Response<ResponseBody<ResBody>>, S::Error>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>> + Send + 'static,
    S::Error: Send + 'static,
    S::Future: Send,
    ReqBody: Body,
    ResBody: Send + 'static,
{
    let pipeline = receiver.pipeline();
    let reply = |verdict| Ok(respond(&pipeline.reply(verdict)).map(ResponseBody::own));
    let (request, callback) = match receive(receiver, request).await {
        Ok((request, Verified::Record(callback))) => (request, callback),
        Ok((_, Verified::Other(_))) => return reply(Verdict::Ignored),
        Err(rejection) => return reply(rejection.verdict()),
    };
    // A request is large, and would be copied several times on its way into the handler's task.
    let call = Box::new((inner, request.map(Full::new)));
    let handler = |delivery| {
        let (inner, request) = *call;
        run_inner(inner, request, delivery)
    };
    match pipeline.deliver(callback, handler).await {
        (verdict, Some(Ok(mut inner))) if !verdict.is_success() && !inner.status().is_success() => {
            inner.extensions_mut().insert(verdict);
            Ok(inner.map(ResponseBody::inner))
        }
        (_, Some(Err(error))) => Err(error),
        (verdict, _) => reply(verdict),
    }
}

async fn run_inner<S, ResBody>(
    mut inner: S,
    mut request: Request<Full<Bytes>>,
    delivery: Delivery,
) -> Outcome<Result<Response<ResBody>, S::Error>>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>>,
{
    request.extensions_mut().insert(delivery.callback().clone());
    request.extensions_mut().insert(delivery);
    let output = inner.call(request).await;
    let result = match &output {
        Ok(response) => match response.extensions().get::<HandlerError>() {
            Some(error) => Err(error.clone()),
            None if response.status().is_success() => Ok(()),
            None => Err(HandlerError::retry(format!(
                "the inner service responded with {}",
                response.status()
            ))),
        },
        Err(_) => Err(HandlerError::retry(
            "the inner service returned an error instead of a response",
        )),
    };
    Outcome::new(result, output)
}
