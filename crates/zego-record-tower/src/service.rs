//! The middleware: an inner service as the handler.

use std::mem;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{Either, Full};
use tower_service::Service;
use zego_record_receiver::{Delivery, HandlerError, Outcome};

use crate::admit::admit;
use crate::future::ResponseFuture;
use crate::layer::RecordLayer;

/// The service that [`RecordLayer`] makes.
#[derive(Clone, Debug)]
pub struct RecordService<S> {
    inner: S,
    layer: RecordLayer,
}

/// The body of a response: our own answer, or what the inner service has answered.
pub type ResponseBody<B> = Either<Full<Bytes>, B>;

impl<S> RecordService<S> {
    pub(crate) fn new(inner: S, layer: RecordLayer) -> Self {
        Self { inner, layer }
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
        let layer = self.layer.clone();
        ResponseFuture::new(async move { all_the_way(inner, &layer, request).await })
    }
}

async fn all_the_way<S, ReqBody, ResBody>(
    inner: S,
    layer: &RecordLayer,
    request: Request<ReqBody>,
) -> Result<Response<ResponseBody<ResBody>>, S::Error>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>> + Send + 'static,
    S::Error: Send + 'static,
    S::Future: Send,
    ReqBody: Body,
    ResBody: Send + 'static,
{
    let receiver = layer.receiver();
    let (request, admitted) = match admit(receiver, request).await {
        Ok(admitted) => admitted,
        Err(answer) => return Ok(layer.respond(answer).map(Either::Left)),
    };
    // A request is large, and would be copied several times on its way into the handler's task.
    let call = Box::new((inner, request.map(Full::new)));
    let handler = |delivery| {
        let (inner, request) = *call;
        run_inner(inner, request, delivery)
    };
    match receiver.deliver(admitted, handler).await {
        (answer, Some(Ok(mut inner))) if !answer.is_success() => {
            inner.extensions_mut().insert(answer.kind());
            Ok(inner.map(Either::Right))
        }
        (_, Some(Err(error))) => Err(error),
        (answer, _) => Ok(layer.respond(answer).map(Either::Left)),
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
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(HandlerError::retry(format!(
            "the inner service answered {}",
            response.status()
        ))),
        Err(_) => Err(HandlerError::retry(
            "the inner service gave an error instead of an answer",
        )),
    };
    Outcome { result, output }
}
