//! Requests in warp's types.

use warp::test::RequestBuilder;
use zego_record_testkit::fixtures;
use zego_record_warp::Receiver;

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

pub(crate) fn post(body: impl AsRef<[u8]>) -> RequestBuilder {
    request("POST").body(body)
}

pub(crate) fn request(method: &str) -> RequestBuilder {
    warp::test::request().method(method).path("/zego/record")
}
