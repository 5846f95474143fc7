//! The middleware: an inner service as the handler.

use std::cell::Cell;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage};
use zego_record_core::{Verdict, Verified};
use zego_record_receiver::{Delivery, HandlerError, Outcome, Receiver};

use crate::failure::failure;
use crate::receive::receive;
use crate::rejection::RecordRejection;
use crate::respond::respond;

/// Receives recording callbacks, with delivery guarantees and what it wraps as the handler.
///
/// The inner service is called for a callback that is verified and no duplicate, in a task of its own on
/// the same worker. The request's extensions have the [`RecordCallback`](crate::RecordCallback) and the
/// [`Delivery`], for `web::ReqData` or [`Record`](crate::Record), and the payload is the one that was
/// received, for any extractor. If the inner service responds with a 2xx, the response is `1`; any other
/// response and any error is passed on, and ZEGOCLOUD tries again. An error never becomes a success,
/// except a [`HandlerError`] that discards, which is answered with `1`.
///
/// Every response has its [`Verdict`](zego_record_core::Verdict) in its
/// extensions. An inner service that has panicked or was out of time has taken the request with it, so
/// that the response is returned as an error, a [`RecordRejection`]: it looks the same to the sender, but
/// an outer middleware sees an error and no response.
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
        Box::pin(async move { handle(inner, &receiver, request).await })
    }
}

impl<S> fmt::Debug for RecordService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordService")
            .field("receiver", &self.receiver)
            .finish_non_exhaustive()
    }
}

async fn handle<S, B>(
    inner: Rc<S>,
    receiver: &Receiver,
    request: ServiceRequest,
) -> Result<ServiceResponse<EitherBody<B>>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let pipeline = receiver.pipeline();
    let (request, payload) = request.into_parts();
    let own = |request, verdict| {
        let response = respond(&pipeline.reply(verdict));
        ServiceRequest::into_response(request, response).map_into_right_body()
    };
    let (body, callback) = match receive(receiver, &request, payload).await {
        Ok((body, Verified::Record(callback))) => (body, callback),
        Ok((_, Verified::Other(_))) => {
            return Ok(own(ServiceRequest::from_request(request), Verdict::Ignored));
        }
        Err(rejection) => {
            return Ok(own(
                ServiceRequest::from_request(request),
                rejection.verdict(),
            ));
        }
    };
    let request = ServiceRequest::from_parts(request, Payload::from(body));

    // There is one request and actix panics over a clone of it, but it is needed either by the inner
    // service or, if that is not called, for the response.
    let lent = Rc::new(Cell::new(Some(request)));
    let taken = Rc::clone(&lent);
    let handler = move |delivery| async move {
        match taken.take() {
            Some(request) => run_inner(&*inner, request, delivery).await,
            None => Outcome::new(
                Err(HandlerError::retry("the request was taken before")),
                None,
            ),
        }
    };
    let (verdict, output) = pipeline.deliver_local(callback, handler).await;
    match (output.flatten(), lent.take()) {
        (Some(Ok(mut response)), _) if !verdict.is_success() && !response.status().is_success() => {
            response.response_mut().extensions_mut().insert(verdict);
            Ok(response.map_into_left_body())
        }
        (Some(Ok(response)), _) => {
            let (request, _) = response.into_parts();
            Ok(own(ServiceRequest::from_request(request), verdict))
        }
        (Some(Err(error)), _) if !verdict.is_success() => Err(failure(&error)),
        (None, Some(request)) => Ok(own(request, verdict)),
        (None | Some(Err(_)), _) => Err(RecordRejection::new(pipeline.reply(verdict), None).into()),
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
        Ok(response) => match response.response().error() {
            Some(error) => Err(handler_error(error)),
            None if response.status().is_success() => Ok(()),
            None => Err(HandlerError::retry(format!(
                "the inner service responded with {}",
                response.status()
            ))),
        },
        Err(error) => Err(handler_error(error)),
    };
    Outcome::new(result, Some(output))
}

/// The error itself, if the handler has returned one of ours.
fn handler_error(error: &Error) -> HandlerError {
    match error.as_error::<HandlerError>() {
        Some(error) => error.clone(),
        None => HandlerError::retry(format!("the inner service returned an error: {error}")),
    }
}
