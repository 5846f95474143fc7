//! Test kit for receivers of ZEGOCLOUD's recording callbacks.
//!
//! * [`RequestBuilder`] makes requests as ZEGOCLOUD sends them: of any vendor, in any wire form, signed
//!   right or wrong, fresh or stale, signed anew or tampered with.
//! * [`CallbackBuilder`] makes the callback that a handler gets, for unit tests of handlers.
//! * [`golden`] is a table of requests and the verdict that is due to each, and runs it against an app.
//! * [`ManualClock`] is a clock that stands still until a test moves it.
//! * [`stores`] runs a delivery store or a replay guard of your own through all that a receiver relies on.
//!
//! It depends on no framework: an app under test is any async function from a request to a status and a
//! body.
//!
//! # Testing your app
//!
//! ```
//! use bytes::Bytes;
//! use zego_record_core::UnixSeconds;
//! use zego_record_testkit::{RequestBuilder, Signing};
//! # use zego_record_core::{CallbackSecret, Verifier};
//!
//! # const NOW: UnixSeconds = UnixSeconds::new(1_760_001_900);
//! async fn send(request: http::Request<Bytes>) -> (u16, String) {
//!     // Hand the request to your app here, over HTTP or by calling it.
//! #   let secret = CallbackSecret::new("secret").unwrap();
//! #   let verifier = Verifier::builder().secret(secret).build().unwrap();
//! #   let answer = match verifier.verify(request.body(), NOW) {
//! #       Ok(_) => (200, "1".to_owned()),
//! #       Err(refusal) => (refusal.kind().status(), refusal.kind().body().to_owned()),
//! #   };
//! #   answer
//! }
//!
//! # async fn test() {
//! let now = UnixSeconds::from(std::time::SystemTime::now());
//! # let now = NOW;
//! let request = RequestBuilder::new("secret", now).field("stream_alias", "lesson-8");
//!
//! let (status, body) = send(request.build().into_http()).await;
//! assert_eq!((status, body.as_str()), (200, "1"));
//!
//! let (status, body) = send(request.signing(Signing::Unsigned).build().into_http()).await;
//! assert_eq!((status, body.as_str()), (401, "unsigned"));
//! # }
//! # let test = std::pin::pin!(test());
//! # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! # assert!(std::future::Future::poll(test, &mut context).is_ready());
//! ```
//!
//! To see that it gets everything right that the protocol asks for, run the golden table against it:
//!
//! ```
//! # use bytes::Bytes;
//! # use zego_record_core::UnixSeconds;
//! # async fn send(_: http::Request<Bytes>) -> (u16, String) { (200, "1".to_owned()) }
//! # async fn test() {
//! let clock = || UnixSeconds::from(std::time::SystemTime::now());
//! zego_record_testkit::golden::assert_conformant("secret", clock, send).await;
//! # }
//! ```
//!
//! # What the golden table cannot show
//!
//! Rows of the table of verdicts that need a handler that fails or hangs, a store that is out of reach, a
//! stalled connection or an option that is off by default. Its handler always succeeds at once.

mod callback;
mod clock;
mod content;
pub mod golden;
mod request;
mod signing;
pub mod stores;

pub use callback::CallbackBuilder;
pub use clock::ManualClock;
pub use request::{RequestBuilder, SignedRequest};
pub use signing::Signing;
