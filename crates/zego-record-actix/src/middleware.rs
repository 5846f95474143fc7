//! The middleware: an inner service as the handler.

use std::cell::Cell;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage};
use zego_record_receiver::{Answer, Delivery, HandlerError, Outcome, Receiver};

use crate::admit::admit;
use crate::rejection::RecordRejection;
use crate::respond::respond;

/// Takes every request as a recording callback, all the way, with what it wraps as the handler.
///
/// The inner service is run for a callback that is verified and not a duplicate, in a task of its
/// own on the same worker. It finds the [`RecordCallback`](crate::RecordCallback) and the [`Delivery`]
/// in the request's extensions, for `web::ReqData` or [`Record`](crate::Record), and the payload as it
/// came, for any extractor. If it answers 2xx, the answer is `1`; any other answer and any error is
/// passed through, and ZEGOCLOUD tries again.
///
/// Every response that this crate decides about has its [`Verdict`](zego_record_core::Verdict) in its
/// extensions. An inner service that has panicked or was out of time took the request with it, so that
/// the answer is given as an error, a [`RecordRejection`]: it looks the same to the sender, but a
/// middleware further out sees no response.
#[derive(Clone, Debug)]
pub struct RecordMiddleware {
    receiver: Receiver,
}

impl RecordMiddleware {
    /// A middleware that drives this receiver.
    pub fn new(receiver: Receiver) -> Self {
        Self { receiver }
    }
}

impl<S, B> Transform<S, ServiceRequest> for RecordMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type InitError = ();
    type Transform = RecordService<S>;
    type Future = Ready<Result<RecordService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(RecordService {
            inner: Rc::new(inner),
            receiver: self.receiver.clone(),
        }))
    }
}

/// The service that [`RecordMiddleware`] makes.
pub struct RecordService<S> {
    /// Shared with the tasks that the handlers run in, which may outlive a worker's service.
    inner: Rc<S>,
    receiver: Receiver,
}

impl<S, B> Service<ServiceRequest> for RecordService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (inner, receiver) = (Rc::clone(&self.inner), self.receiver.clone());
        Box::pin(async move { all_the_way(inner, &receiver, request).await })
    }
}

impl<S> fmt::Debug for RecordService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordService")
            .field("receiver", &self.receiver)
            .finish_non_exhaustive()
    }
}

async fn all_the_way<S, B>(
    inner: Rc<S>,
    receiver: &Receiver,
    request: ServiceRequest,
) -> Result<ServiceResponse<EitherBody<B>>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let (request, payload) = request.into_parts();
    let (body, admitted) = match admit(receiver, &request, payload).await {
        Ok(admitted) => admitted,
        Err(answer) => return Ok(answered(ServiceRequest::from_request(request), answer)),
    };
    let request = ServiceRequest::from_parts(request, Payload::from(body));

    // There is one request and actix panics over a clone of it, but it is needed either by the inner
    // service or, if that is not run, for the response.
    let lent = Rc::new(Cell::new(Some(request)));
    let taken = Rc::clone(&lent);
    let handler = move |delivery| async move {
        match taken.take() {
            Some(request) => run_inner(&*inner, request, delivery).await,
            None => Outcome {
                result: Err(HandlerError::retry("the request was taken before")),
                output: None,
            },
        }
    };
    let (answer, output) = receiver.deliver_local(admitted, handler).await;
    match (output.flatten(), lent.take()) {
        (Some(Ok(response)), _) if answer.is_success() => {
            let (request, _) = response.into_parts();
            Ok(answered(ServiceRequest::from_request(request), answer))
        }
        (Some(Ok(mut response)), _) => {
            response
                .response_mut()
                .extensions_mut()
                .insert(answer.kind());
            Ok(response.map_into_left_body())
        }
        (Some(Err(error)), _) => Err(error),
        (None, Some(request)) => Ok(answered(request, answer)),
        (None, None) => Err(RecordRejection::from(answer).into()),
    }
}

async fn run_inner<S, B>(
    inner: &S,
    request: ServiceRequest,
    delivery: Delivery,
) -> Outcome<Option<Result<ServiceResponse<B>, Error>>>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
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
        Err(error) => Err(HandlerError::retry(format!(
            "the inner service gave an error: {error}"
        ))),
    };
    Outcome {
        result,
        output: Some(output),
    }
}

fn answered<B>(request: ServiceRequest, answer: Answer) -> ServiceResponse<EitherBody<B>> {
    request.into_response(respond(answer)).map_into_right_body()
}
