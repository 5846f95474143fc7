//! Test kit for receivers of ZEGOCLOUD's recording callbacks.
//!
//! * [`RequestBuilder`] makes requests as ZEGOCLOUD sends them: of any vendor, in any wire form, signed
//!   right or wrong, fresh or stale, signed anew or tampered with.
//! * [`CallbackBuilder`] makes the callback that a handler gets, for unit tests of handlers.
//! * [`golden`] is a table of requests and the verdict that is due to each, and runs it against an app.
//! * [`ManualClock`] is a clock that stands still until a test moves it.
//! * [`inboxes`] runs an inbox of your own through all that a receiver and a worker rely on.
//! * [`stores`] runs a delivery store or a replay guard of your own through all that a receiver relies on.
//!
//! It depends on no framework: an app under test is any async function from a request to a status and a
//! body.
//!
//! # Testing your app
//!
//! Here an axum app; any other is an async function from a request to a response as well.
//!
//! ```
//! use axum::{Router, body::Body};
//! use http_body_util::BodyExt;
//! use tower::ServiceExt;
//! use zego_record_axum::{HandlerError, Receiver, RecordCallback, record};
//! use zego_record_core::{CallbackSecret, UnixSeconds, Verifier};
//! use zego_record_testkit::{RequestBuilder, Signing, golden};
//!
//! fn app(secret: &str) -> Router {
//!     let verifier = Verifier::builder().secret(CallbackSecret::new(secret).unwrap()).build().unwrap();
//!     Router::new().route("/", record(Receiver::builder(verifier).build().unwrap(), on_record))
//! }
//!
//! async fn on_record(_: RecordCallback) -> Result<(), HandlerError> { Ok(()) }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let (app, now) = (app("secret"), || UnixSeconds::from(std::time::SystemTime::now()));
//! let send = async |request: http::Request<bytes::Bytes>| {
//!     let response = app.clone().oneshot(request.map(Body::from)).await.unwrap();
//!     (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes())
//! };
//! // Accepted and rejected.
//! let recording = RequestBuilder::new("secret", now()).field("stream_alias", "lesson-8");
//! assert_eq!(send(recording.build().into_http()).await, (200, "1".into()));
//! assert_eq!(send(recording.signing(Signing::Unsigned).build().into_http()).await, (401, "unsigned".into()));
//! // And everything else that the protocol asks for.
//! golden::assert_conformant("secret", now, send).await;
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
pub mod inboxes;
mod request;
mod signing;
pub mod stores;

pub use callback::CallbackBuilder;
pub use clock::ManualClock;
pub use request::{RequestBuilder, SignedRequest};
pub use signing::Signing;
