//! Requests and responses in actix's types.

use actix_web::Error;
use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::TestRequest;
use zego_record_actix::Receiver;
use zego_record_core::Verdict;
use zego_record_testkit::fixtures::{self, TestResponse};

pub(crate) fn receiver() -> Receiver {
    fixtures::receiver().build().unwrap()
}

/// A callback about this stream, signed now and under a nonce of its own.
pub(crate) fn signed(stream: &str) -> String {
    text(fixtures::request(stream).build().body())
}

pub(crate) fn signed_event(event: &str, stream: &str) -> String {
    let request = fixtures::request(stream).field("event", event);
    text(request.build().body())
}

fn text(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

pub(crate) fn post(body: impl Into<String>) -> TestRequest {
    request(Method::POST).set_payload(body.into())
}

pub(crate) fn request(method: Method) -> TestRequest {
    TestRequest::with_uri("/zego/record")
        .method(method)
        .insert_header(("content-type", "application/json"))
}

/// Sends a request that no inner service answers with an error.
pub(crate) async fn respond<S, R, B>(app: &S, request: R) -> TestResponse
where
    S: Service<R, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let (response, is_error) = respond_or_fail(app, request).await;
    assert!(!is_error, "{response:?} came as an error");
    response
}

/// The response, and whether it came as an error, which actix's server turns into a response as is done
/// here.
pub(crate) async fn respond_or_fail<S, R, B>(app: &S, request: R) -> (TestResponse, bool)
where
    S: Service<R, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let (response, is_error) = match app.call(request).await {
        Ok(response) => (response.map_into_boxed_body().into_parts().1, false),
        Err(error) => (error.error_response(), true),
    };
    let (status, verdict) = (
        response.status().as_u16(),
        response.extensions().get::<Verdict>().copied(),
    );
    let headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let body = to_bytes(response.into_body()).await.ok().unwrap();
    (TestResponse::new(status, headers, body, verdict), is_error)
}
